package peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.logging.LogManager;
import org.bouncycastle.tls.DTLSTransport;

/**
 * One transport as the videobridge has it, of the libraries that it is made of: BouncyCastle's DTLS and jitsi-srtp, behind a
 * controlled ICE agent on a UDP socket.
 *
 * <p>Arguments: its DTLS role ({@code server} or {@code client}), its SRTP profiles in order of preference, the sha-256 fingerprint that
 * the other side's certificate must have, and how it refuses another one ({@code silence}, as the bridge does, or {@code alert}). It first says {@code transport PORT UFRAG PASSWORD FINGERPRINT}, then a
 * line for each thing that happens. It takes {@code rtp HEX} and {@code rtcp HEX} (plain, sent protected), {@code data HEX} (sent by
 * DTLS) and {@code close}, until its input ends.
 */
public final class BridgeTransport {
  private static final HexFormat HEX = HexFormat.of();

  private final DatagramSocket socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());
  private final Stun stun = new Stun();
  private final BridgeDtls dtls;
  private volatile InetSocketAddress remote;
  private volatile DTLSTransport secure;
  private volatile BridgeSrtp srtp;
  private boolean started;

  public static void main(String[] args) throws Exception {
    // What the libraries log would stand between the test's own lines.
    LogManager.getLogManager().reset();
    new BridgeTransport(args[0].equals("server"), args[1].split(","), args[2], args[3].equals("silence")).run();
  }

  private BridgeTransport(boolean server, String[] profiles, String fingerprint, boolean silent) throws Exception {
    dtls = new BridgeDtls(server, profiles, fingerprint, silent, this::send, BridgeTransport::say);
  }

  private void run() throws Exception {
    say("transport " + socket.getLocalPort() + " " + stun.ufrag + " " + stun.password + " " + dtls.fingerprint());
    thread("socket", this::read);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "rtp" -> send(srtp.protectRtp(HEX.parseHex(words[1])));
        case "rtcp" -> send(srtp.protectRtcp(HEX.parseHex(words[1])));
        case "data" -> {
          byte[] data = HEX.parseHex(words[1]);
          secure.send(data, 0, data.length);
        }
        case "close" -> secure.close();
        default -> throw new IllegalArgumentException(line);
      }
    }
    System.exit(0);
  }

  /** Takes datagrams apart by their first byte (RFC 7983). */
  private void read() throws Exception {
    byte[] buffer = new byte[2048];
    while (true) {
      DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
      socket.receive(packet);
      byte[] b = Arrays.copyOf(buffer, packet.getLength());
      int first = b.length == 0 ? 255 : b[0] & 0xff;
      if (first < 4) {
        check(b, (InetSocketAddress) packet.getSocketAddress());
      } else if (first >= 20 && first < 64) {
        dtls.receive(b);
      } else if (first >= 128 && first < 192) {
        media(b);
      } else {
        say("unknown " + HEX.formatHex(b));
      }
    }
  }

  private void check(byte[] request, InetSocketAddress from) throws Exception {
    byte[] answer = stun.answer(request, from);
    if (answer == null) {
      say("stun-refused " + HEX.formatHex(request));
      return;
    }
    socket.send(new DatagramPacket(answer, answer.length, from));
    // The nominated pair is the path; DTLS begins when there is one.
    if (stun.nominated() && !started) {
      started = true;
      remote = from;
      thread("dtls", this::associate);
    }
  }

  private void associate() {
    try {
      DTLSTransport transport = dtls.handshake();
      srtp = new BridgeSrtp(dtls.profile(), dtls.keyingMaterial(), dtls.isServer());
      secure = transport;
      say("secure " + dtls.summary() + " " + BridgeSrtp.provider());
      byte[] buffer = new byte[transport.getReceiveLimit()];
      while (true) {
        int n = transport.receive(buffer, 0, buffer.length, 1000);
        if (n >= 0) {
          say("data " + HEX.formatHex(buffer, 0, n));
        }
      }
    } catch (Exception e) {
      say((secure == null ? "refused " : "ended ") + e);
    }
  }

  private void media(byte[] b) throws Exception {
    if (srtp == null) {
      // It may overtake the end of the handshake.
      say("early");
    } else if ((b[1] & 0x7f) >= 64 && (b[1] & 0x7f) < 96) {
      say(srtp.unprotectRtcp(b));
    } else {
      say(srtp.unprotectRtp(b));
    }
  }

  private void send(byte[] b) throws IOException {
    socket.send(new DatagramPacket(b, b.length, remote));
  }

  private interface Body {
    void run() throws Exception;
  }

  /** A thread whose end by an exception is the end of the process: the test sees it at once. */
  private static void thread(String name, Body body) {
    Thread t = new Thread(() -> {
      try {
        body.run();
      } catch (Exception e) {
        e.printStackTrace();
        System.exit(1);
      }
    }, name);
    t.setDaemon(true);
    t.start();
  }

  private static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
