package peer;

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.zip.CRC32;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** A controlled ICE agent that checks nothing itself: it answers authentic binding requests (RFC 8445 §7.3, RFC 8489). */
final class Stun {
  private static final int REQUEST = 0x0001;
  private static final int SUCCESS = 0x0101;
  private static final int COOKIE = 0x2112a442;
  private static final int HEADER = 20;
  private static final int USERNAME = 0x0006;
  private static final int INTEGRITY = 0x0008;
  private static final int XOR_MAPPED_ADDRESS = 0x0020;
  private static final int USE_CANDIDATE = 0x0025;
  private static final int FINGERPRINT = 0x8028;
  private static final int FINGERPRINT_XOR = 0x5354554e;

  final String ufrag = random(8);
  final String password = random(24);
  private boolean nominated;

  /** Whether the last request that was answered nominates its pair. */
  boolean nominated() {
    return nominated;
  }

  /** The answer to a datagram, or null if it is no binding request for us, or no authentic one. */
  byte[] answer(byte[] request, InetSocketAddress from) throws GeneralSecurityException {
    ByteBuffer in = ByteBuffer.wrap(request);
    if (request.length < HEADER || in.getShort(0) != REQUEST || in.getInt(4) != COOKIE || in.getShort(2) + HEADER != request.length) {
      return null;
    }
    boolean ours = false;
    boolean authentic = false;
    boolean whole = false;
    boolean nominates = false;
    int at = HEADER;
    while (at + 4 <= request.length) {
      int type = in.getShort(at) & 0xffff;
      int length = in.getShort(at + 2) & 0xffff;
      if (at + 4 + length > request.length) {
        return null;
      }
      byte[] value = Arrays.copyOfRange(request, at + 4, at + 4 + length);
      switch (type) {
        case USERNAME -> ours = new String(value, StandardCharsets.UTF_8).startsWith(ufrag + ":");
        case INTEGRITY -> authentic = Arrays.equals(value, integrity(request, at));
        case FINGERPRINT -> whole = length == 4 && in.getInt(at + 4) == fingerprint(request, at);
        case USE_CANDIDATE -> nominates = true;
        default -> { }
      }
      at += 4 + (length + 3) / 4 * 4;
    }
    if (!ours || !authentic || !whole) {
      return null;
    }
    nominated = nominates;
    return success(Arrays.copyOfRange(request, 8, HEADER), from);
  }

  private byte[] success(byte[] transaction, InetSocketAddress from) throws GeneralSecurityException {
    ByteBuffer out = ByteBuffer.allocate(HEADER + 12 + 24 + 8);
    out.putShort((short) SUCCESS).putShort((short) 0).putInt(COOKIE).put(transaction);
    out.putShort((short) XOR_MAPPED_ADDRESS).putShort((short) 8).putShort((short) 1);
    out.putShort((short) (from.getPort() ^ COOKIE >>> 16));
    out.putInt(ByteBuffer.wrap(from.getAddress().getAddress()).getInt() ^ COOKIE);
    byte[] integrity = integrity(out.array(), out.position());
    out.putShort((short) INTEGRITY).putShort((short) 20).put(integrity);
    int fingerprint = fingerprint(out.array(), out.position());
    out.putShort((short) FINGERPRINT).putShort((short) 4).putInt(fingerprint);
    out.putShort(2, (short) (out.position() - HEADER));
    return out.array();
  }

  private byte[] integrity(byte[] message, int end) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA1");
    mac.init(new SecretKeySpec(password.getBytes(StandardCharsets.UTF_8), "HmacSHA1"));
    return mac.doFinal(before(message, end, 24));
  }

  private static int fingerprint(byte[] message, int end) {
    CRC32 crc = new CRC32();
    crc.update(before(message, end, 8));
    return (int) crc.getValue() ^ FINGERPRINT_XOR;
  }

  /** What stands before an attribute of so many bytes, with the length that the message has up to its end. */
  private static byte[] before(byte[] message, int end, int attribute) {
    byte[] b = Arrays.copyOf(message, end);
    ByteBuffer.wrap(b).putShort(2, (short) (end - HEADER + attribute));
    return b;
  }

  private static String random(int length) {
    return new SecureRandom().ints(length, 0, 36).mapToObj(n -> Character.toString(Character.forDigit(n, 36)))
        .reduce("", String::concat);
  }
}
