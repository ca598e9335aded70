package peer;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.HexFormat;
import java.util.Hashtable;
import java.util.Vector;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.crypto.params.AsymmetricKeyParameter;
import org.bouncycastle.crypto.util.PrivateKeyFactory;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.AlertLevel;
import org.bouncycastle.tls.Certificate;
import org.bouncycastle.tls.CertificateRequest;
import org.bouncycastle.tls.CipherSuite;
import org.bouncycastle.tls.ClientCertificateType;
import org.bouncycastle.tls.DTLSClientProtocol;
import org.bouncycastle.tls.DTLSServerProtocol;
import org.bouncycastle.tls.DTLSTransport;
import org.bouncycastle.tls.DatagramTransport;
import org.bouncycastle.tls.DefaultTlsClient;
import org.bouncycastle.tls.DefaultTlsServer;
import org.bouncycastle.tls.ExporterLabel;
import org.bouncycastle.tls.HashAlgorithm;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.SRTPProtectionProfile;
import org.bouncycastle.tls.SecurityParameters;
import org.bouncycastle.tls.SignatureAlgorithm;
import org.bouncycastle.tls.SignatureAndHashAlgorithm;
import org.bouncycastle.tls.TlsAuthentication;
import org.bouncycastle.tls.TlsContext;
import org.bouncycastle.tls.TlsCredentialedSigner;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsSRTPUtils;
import org.bouncycastle.tls.TlsServerCertificate;
import org.bouncycastle.tls.TlsUtils;
import org.bouncycastle.tls.UseSRTPData;
import org.bouncycastle.tls.crypto.TlsCertificate;
import org.bouncycastle.tls.crypto.TlsCryptoParameters;
import org.bouncycastle.tls.crypto.impl.bc.BcDefaultTlsCredentialedSigner;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCertificate;
import org.bouncycastle.tls.crypto.impl.bc.BcTlsCrypto;

/**
 * BouncyCastle's DTLS in either role, set up with what the videobridge sets: DTLS 1.2 alone, its cipher suites, an ECDSA certificate on
 * P-256, a certificate asked of the other side, an SRTP profile of its own preference.
 */
final class BridgeDtls implements DatagramTransport {
  private static final BcTlsCrypto CRYPTO = new BcTlsCrypto(new SecureRandom());
  private static final SignatureAndHashAlgorithm SIGNATURE =
      new SignatureAndHashAlgorithm(HashAlgorithm.sha256, SignatureAlgorithm.ecdsa);
  private static final int[] SUITES = {
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
  };
  private static final int TIMEOUT_MS = 30_000;

  interface Sender {
    void send(byte[] datagram) throws IOException;
  }

  private final boolean server;
  private final int[] profiles;
  private final String expected;
  private final boolean silent;
  private final Sender sender;
  private final Consumer<String> say;
  private final AsymmetricKeyParameter key;
  private final Certificate certificate;
  private final BlockingQueue<byte[]> incoming = new LinkedBlockingQueue<>();
  private int profile;
  private byte[] material;
  private String summary;

  BridgeDtls(boolean server, String[] profiles, String expected, boolean silent, Sender sender, Consumer<String> say) throws Exception {
    this.server = server;
    this.profiles = Stream.of(profiles).mapToInt(BridgeDtls::profile).toArray();
    this.expected = expected;
    this.silent = silent;
    this.sender = sender;
    this.say = say;
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", new BouncyCastleProvider());
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair pair = generator.generateKeyPair();
    X500Name name = new X500Name("CN=bridge");
    Instant now = Instant.now();
    Date from = Date.from(now.minus(Duration.ofDays(1)));
    Date to = Date.from(now.plus(Duration.ofDays(7)));
    var builder = new JcaX509v3CertificateBuilder(name, BigInteger.ONE, from, to, name, pair.getPublic());
    byte[] der = builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate())).getEncoded();
    key = PrivateKeyFactory.createKey(pair.getPrivate().getEncoded());
    certificate = new Certificate(new TlsCertificate[] {new BcTlsCertificate(CRYPTO, der)});
  }

  boolean isServer() {
    return server;
  }

  int profile() {
    return profile;
  }

  byte[] keyingMaterial() {
    return material;
  }

  /** Version, cipher suite, whether with the extended master secret, SRTP profile. */
  String summary() {
    return summary;
  }

  String fingerprint() throws Exception {
    return fingerprint(certificate);
  }

  DTLSTransport handshake() throws IOException {
    return server ? new DTLSServerProtocol().accept(new Server(), this) : new DTLSClientProtocol().connect(new Client(), this);
  }

  /** Takes a datagram from the socket. */
  void receive(byte[] datagram) {
    incoming.add(datagram);
  }

  private static int profile(String name) {
    return switch (name) {
      case "AEAD_AES_128_GCM" -> SRTPProtectionProfile.SRTP_AEAD_AES_128_GCM;
      case "AES128_CM_HMAC_SHA1_80" -> SRTPProtectionProfile.SRTP_AES128_CM_HMAC_SHA1_80;
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static String fingerprint(Certificate chain) throws IOException, GeneralSecurityException {
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(chain.getCertificateAt(0).getEncoded());
    return HexFormat.ofDelimiter(":").withUpperCase().formatHex(hash);
  }

  private void verify(Certificate chain) throws IOException {
    try {
      if (chain == null || chain.isEmpty() || !fingerprint(chain).equals(expected)) {
        if (silent) {
          BridgeDtls.<RuntimeException>refuse(new Exception("fingerprint"));
        }
        throw new TlsFatalAlert(AlertDescription.bad_certificate, "fingerprint");
      }
    } catch (GeneralSecurityException e) {
      throw new TlsFatalAlert(AlertDescription.internal_error, e);
    }
  }

  /**
   * Throws what no caller declares. The bridge's exception is a checked one in Kotlin, which checks none: BouncyCastle catches the others,
   * and tells the other side of those alone.
   */
  @SuppressWarnings("unchecked")
  private static <E extends Exception> void refuse(Exception e) throws E {
    throw (E) e;
  }

  /** The first of ours that the other side has. */
  private void choose(Hashtable<?, ?> extensions) throws IOException {
    UseSRTPData theirs = TlsSRTPUtils.getUseSRTPExtension(extensions);
    int[] offered = theirs == null ? new int[0] : theirs.getProtectionProfiles();
    profile = IntStream.of(profiles).filter(p -> IntStream.of(offered).anyMatch(o -> o == p)).findFirst()
        .orElseThrow(() -> new TlsFatalAlert(AlertDescription.handshake_failure, "no SRTP profile"));
  }

  private static Hashtable<Object, Object> withSrtp(Hashtable<?, ?> extensions, int... profiles) throws IOException {
    Hashtable<Object, Object> all = new Hashtable<>(extensions == null ? new Hashtable<>() : extensions);
    TlsSRTPUtils.addUseSRTPExtension(all, new UseSRTPData(profiles, TlsUtils.EMPTY_BYTES));
    return all;
  }

  private TlsCredentialedSigner signer(TlsContext context) {
    return new BcDefaultTlsCredentialedSigner(new TlsCryptoParameters(context), CRYPTO, key, certificate, SIGNATURE);
  }

  private void complete(TlsContext context) {
    int[] lengths = BridgeSrtp.lengths(profile);
    material = context.exportKeyingMaterial(ExporterLabel.dtls_srtp, null, 2 * (lengths[0] + lengths[1]));
    SecurityParameters p = context.getSecurityParameters();
    String version = p.getNegotiatedVersion().toString().replace(" ", "");
    summary = String.format("%s 0x%04x ems=%s srtp=%d", version, p.getCipherSuite(), p.isExtendedMasterSecret(), profile);
  }

  private void alert(String how, short level, short description) {
    say.accept(how + " " + (level == AlertLevel.fatal ? "fatal" : "warning") + " " + AlertDescription.getName(description));
  }

  private final class Server extends DefaultTlsServer {
    Server() {
      super(CRYPTO);
    }

    @Override
    protected ProtocolVersion[] getSupportedVersions() {
      return ProtocolVersion.DTLSv12.only();
    }

    @Override
    public int[] getCipherSuites() {
      return SUITES;
    }

    @Override
    public int getHandshakeTimeoutMillis() {
      return TIMEOUT_MS;
    }

    @Override
    public void processClientExtensions(Hashtable extensions) throws IOException {
      super.processClientExtensions(extensions);
      choose(extensions);
    }

    @Override
    public Hashtable<?, ?> getServerExtensions() throws IOException {
      return withSrtp(super.getServerExtensions(), profile);
    }

    @Override
    protected TlsCredentialedSigner getECDSASignerCredentials() {
      return signer(context);
    }

    @Override
    public CertificateRequest getCertificateRequest() {
      Vector<SignatureAndHashAlgorithm> signatures = new Vector<>();
      signatures.add(SIGNATURE);
      return new CertificateRequest(new short[] {ClientCertificateType.ecdsa_sign}, signatures, null);
    }

    @Override
    public void notifyClientCertificate(Certificate chain) throws IOException {
      verify(chain);
    }

    @Override
    public void notifyHandshakeComplete() throws IOException {
      super.notifyHandshakeComplete();
      complete(context);
    }

    @Override
    public void notifyAlertRaised(short level, short description, String message, Throwable cause) {
      alert("alert-sent", level, description);
    }

    @Override
    public void notifyAlertReceived(short level, short description) {
      alert("alert", level, description);
    }
  }

  private final class Client extends DefaultTlsClient {
    Client() {
      super(CRYPTO);
    }

    @Override
    protected ProtocolVersion[] getSupportedVersions() {
      return ProtocolVersion.DTLSv12.only();
    }

    @Override
    public int[] getCipherSuites() {
      return SUITES;
    }

    @Override
    public int getHandshakeTimeoutMillis() {
      return TIMEOUT_MS;
    }

    @Override
    public Hashtable<?, ?> getClientExtensions() throws IOException {
      return withSrtp(super.getClientExtensions(), profiles);
    }

    @Override
    public void processServerExtensions(Hashtable extensions) throws IOException {
      super.processServerExtensions(extensions);
      choose(extensions);
    }

    @Override
    public TlsAuthentication getAuthentication() {
      return new TlsAuthentication() {
        @Override
        public void notifyServerCertificate(TlsServerCertificate chain) throws IOException {
          verify(chain.getCertificate());
        }

        @Override
        public TlsCredentials getClientCredentials(CertificateRequest request) {
          return signer(context);
        }
      };
    }

    @Override
    public void notifyHandshakeComplete() throws IOException {
      super.notifyHandshakeComplete();
      complete(context);
    }

    @Override
    public void notifyAlertRaised(short level, short description, String message, Throwable cause) {
      alert("alert-sent", level, description);
    }

    @Override
    public void notifyAlertReceived(short level, short description) {
      alert("alert", level, description);
    }
  }

  /** BouncyCastle fetches what the socket's thread has put there. */
  @Override
  public int receive(byte[] to, int offset, int length, int waitMillis) throws IOException {
    try {
      byte[] b = incoming.poll(waitMillis, TimeUnit.MILLISECONDS);
      if (b == null) {
        return -1;
      }
      int n = Math.min(length, b.length);
      System.arraycopy(b, 0, to, offset, n);
      return n;
    } catch (InterruptedException e) {
      return -1;
    }
  }

  @Override
  public void send(byte[] from, int offset, int length) throws IOException {
    sender.send(Arrays.copyOfRange(from, offset, offset + length));
  }

  /** The limits of UDP over Ethernet, which the bridge takes too. */
  @Override
  public int getReceiveLimit() {
    return 1500 - 20 - 8;
  }

  @Override
  public int getSendLimit() {
    return 1500 - 84 - 8;
  }

  @Override
  public void close() {}
}
