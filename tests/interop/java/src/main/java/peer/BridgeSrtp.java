package peer;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.bouncycastle.tls.SRTPProtectionProfile;
import org.jitsi.srtp.SrtcpCryptoContext;
import org.jitsi.srtp.SrtpContextFactory;
import org.jitsi.srtp.SrtpCryptoContext;
import org.jitsi.srtp.SrtpErrorStatus;
import org.jitsi.srtp.SrtpPolicy;
import org.jitsi.srtp.crypto.Aes;
import org.jitsi.utils.ByteArrayBuffer;
import org.jitsi.utils.logging2.Logger;
import org.jitsi.utils.logging2.LoggerImpl;

/** jitsi-srtp with the keys of one DTLS association, both ways. */
final class BridgeSrtp {
  private static final Logger LOG = new LoggerImpl("srtp");
  /** Room for the longest tag and the SRTCP index. */
  private static final int ROOM = 64;

  static {
    // The bridge's default; jitsi-srtp takes another by itself where it has none for the machine.
    Aes.setFactoryClassName("OpenSSL");
  }

  private final SrtpContextFactory out;
  private final SrtpContextFactory in;
  private final Map<Integer, SrtpCryptoContext> rtpOut = new HashMap<>();
  private final Map<Integer, SrtpCryptoContext> rtpIn = new HashMap<>();
  private final Map<Integer, SrtcpCryptoContext> rtcpOut = new HashMap<>();
  private final Map<Integer, SrtcpCryptoContext> rtcpIn = new HashMap<>();

  /** Bytes of the master key and the master salt of a profile (RFC 5764 §4.1.2, RFC 7714 §14.2). */
  static int[] lengths(int profile) {
    return new int[] {16, profile == SRTPProtectionProfile.SRTP_AEAD_AES_128_GCM ? 12 : 14};
  }

  BridgeSrtp(int profile, byte[] material, boolean server) {
    int key = lengths(profile)[0];
    int salt = lengths(profile)[1];
    boolean gcm = profile == SRTPProtectionProfile.SRTP_AEAD_AES_128_GCM;
    // Client key, server key, client salt, server salt (RFC 5764 §4.2).
    byte[][] keys = {Arrays.copyOf(material, key), Arrays.copyOfRange(material, key, 2 * key)};
    byte[][] salts = {
      Arrays.copyOfRange(material, 2 * key, 2 * key + salt), Arrays.copyOfRange(material, 2 * key + salt, 2 * (key + salt))
    };
    SrtpPolicy policy = gcm
        ? new SrtpPolicy(SrtpPolicy.AESGCM_ENCRYPTION, key, SrtpPolicy.NULL_AUTHENTICATION, 0, 16, salt)
        : new SrtpPolicy(SrtpPolicy.AESCM_ENCRYPTION, key, SrtpPolicy.HMACSHA1_AUTHENTICATION, 20, 10, salt);
    int mine = server ? 1 : 0;
    out = new SrtpContextFactory(true, keys[mine], salts[mine], policy, policy, LOG);
    in = new SrtpContextFactory(false, keys[1 - mine], salts[1 - mine], policy, policy, LOG);
  }

  /** Whose AES the library took. */
  static String provider() {
    return Aes.createCipher("AES/CTR/NoPadding").getProvider().getName();
  }

  byte[] protectRtp(byte[] packet) throws GeneralSecurityException {
    Buffer b = new Buffer(packet);
    ok(rtp(rtpOut, out, packet).transformPacket(b));
    return b.bytes();
  }

  byte[] protectRtcp(byte[] packet) throws GeneralSecurityException {
    Buffer b = new Buffer(packet);
    ok(rtcp(rtcpOut, out, packet).transformPacket(b));
    return b.bytes();
  }

  /** What is to be said of a packet: its plain bytes, or why it was refused. */
  String unprotectRtp(byte[] packet) throws GeneralSecurityException {
    Buffer b = new Buffer(packet);
    SrtpErrorStatus status = rtp(rtpIn, in, packet).reverseTransformPacket(b, false);
    return status == SrtpErrorStatus.OK ? "rtp " + b.hex() : "rtp-refused " + status;
  }

  String unprotectRtcp(byte[] packet) throws GeneralSecurityException {
    Buffer b = new Buffer(packet);
    SrtpErrorStatus status = rtcp(rtcpIn, in, packet).reverseTransformPacket(b);
    return status == SrtpErrorStatus.OK ? "rtcp " + b.hex() : "rtcp-refused " + status;
  }

  private static SrtpCryptoContext rtp(Map<Integer, SrtpCryptoContext> all, SrtpContextFactory factory, byte[] packet)
      throws GeneralSecurityException {
    int ssrc = ByteBuffer.wrap(packet).getInt(8);
    if (!all.containsKey(ssrc)) {
      all.put(ssrc, factory.deriveContext(ssrc, 0));
    }
    return all.get(ssrc);
  }

  private static SrtcpCryptoContext rtcp(Map<Integer, SrtcpCryptoContext> all, SrtpContextFactory factory, byte[] packet)
      throws GeneralSecurityException {
    int ssrc = ByteBuffer.wrap(packet).getInt(4);
    if (!all.containsKey(ssrc)) {
      all.put(ssrc, factory.deriveControlContext(ssrc));
    }
    return all.get(ssrc);
  }

  private static void ok(SrtpErrorStatus status) {
    if (status != SrtpErrorStatus.OK) {
      throw new IllegalStateException(status.toString());
    }
  }

  /** A packet in an array with room behind it. */
  private static final class Buffer implements ByteArrayBuffer {
    private byte[] data;
    private int offset;
    private int length;

    Buffer(byte[] packet) {
      data = Arrays.copyOf(packet, packet.length + ROOM);
      length = packet.length;
    }

    byte[] bytes() {
      return Arrays.copyOfRange(data, offset, offset + length);
    }

    String hex() {
      return HexFormat.of().formatHex(bytes());
    }

    @Override
    public byte[] getBuffer() {
      return data;
    }

    @Override
    public int getOffset() {
      return offset;
    }

    @Override
    public int getLength() {
      return length;
    }

    @Override
    public void setOffset(int offset) {
      this.offset = offset;
    }

    @Override
    public void setLength(int length) {
      this.length = length;
    }

    @Override
    public boolean isInvalid() {
      return false;
    }

    @Override
    public void readRegionToBuff(int from, int n, byte[] to) {
      System.arraycopy(data, offset + from, to, 0, n);
    }

    @Override
    public void grow(int n) {
      if (data.length < offset + length + n) {
        data = Arrays.copyOf(data, offset + length + n);
      }
    }

    @Override
    public void append(byte[] more, int n) {
      grow(n);
      System.arraycopy(more, 0, data, offset + length, n);
      length += n;
    }

    @Override
    public void shrink(int n) {
      length -= n;
    }
  }
}
