package peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.jitsi.xmpp.extensions.AbstractPacketExtension;
import org.jitsi.xmpp.extensions.DefaultPacketExtensionProvider;
import org.jitsi.xmpp.extensions.colibri.SourcePacketExtension;
import org.jitsi.xmpp.extensions.colibri.WebSocketPacketExtension;
import org.jitsi.xmpp.extensions.colibri2.InitialLastN;
import org.jitsi.xmpp.extensions.colibri2.InitialLastNProvider;
import org.jitsi.xmpp.extensions.jingle.CandidatePacketExtension;
import org.jitsi.xmpp.extensions.jingle.ContentPacketExtension;
import org.jitsi.xmpp.extensions.jingle.DtlsFingerprintPacketExtension;
import org.jitsi.xmpp.extensions.jingle.GroupPacketExtension;
import org.jitsi.xmpp.extensions.jingle.IceUdpTransportPacketExtension;
import org.jitsi.xmpp.extensions.jingle.JingleIQ;
import org.jitsi.xmpp.extensions.jingle.JingleIQProvider;
import org.jitsi.xmpp.extensions.jingle.ParameterPacketExtension;
import org.jitsi.xmpp.extensions.jingle.PayloadTypePacketExtension;
import org.jitsi.xmpp.extensions.jingle.RTPHdrExtPacketExtension;
import org.jitsi.xmpp.extensions.jingle.RtcpFbPacketExtension;
import org.jitsi.xmpp.extensions.jingle.RtpDescriptionPacketExtension;
import org.jitsi.xmpp.extensions.jingle.SctpMapExtension;
import org.jitsi.xmpp.extensions.jingle.SourceGroupPacketExtension;
import org.jitsi.xmpp.extensions.jitsimeet.BridgeSessionPacketExtension;
import org.jitsi.xmpp.extensions.jitsimeet.IceStatePacketExtension;
import org.jitsi.xmpp.extensions.jitsimeet.JsonMessageExtension;
import org.jitsi.xmpp.extensions.jitsimeet.SSRCInfoPacketExtension;
import org.jitsi.xmpp.extensions.jitsimeet.StartMutedPacketExtension;
import org.jitsi.xmpp.extensions.jitsimeet.StartMutedProvider;
import org.jivesoftware.smack.packet.IQ;
import org.jivesoftware.smack.packet.Stanza;
import org.jivesoftware.smack.packet.XmlEnvironment;
import org.jivesoftware.smack.provider.ProviderManager;
import org.jivesoftware.smack.util.PacketParserUtils;

/**
 * Reads one stanza a line and writes one JSON object a line: what Jitsi's own classes understood of its Jingle, and in
 * {@code written} the stanza as they write it.
 */
public final class JinglePeer {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    register();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        Stanza stanza = PacketParserUtils.parseStanza(line);
        if (stanza instanceof JingleIQ) {
          describe((JingleIQ) stanza, answer);
        } else {
          answer.put("error", "not Jingle: " + stanza.getClass().getSimpleName());
        }
      } catch (Exception e) {
        answer.put("error", e.toString());
      }
      out.println(JSON.writeValueAsString(answer));
    }
  }

  /** As Jicofo does when it starts. */
  private static void register() {
    ProviderManager.addIQProvider(JingleIQ.ELEMENT, JingleIQ.NAMESPACE, new JingleIQProvider());
    extension(JsonMessageExtension.ELEMENT, JsonMessageExtension.NAMESPACE, JsonMessageExtension.class);
    extension(BridgeSessionPacketExtension.ELEMENT, BridgeSessionPacketExtension.NAMESPACE, BridgeSessionPacketExtension.class);
    extension(IceStatePacketExtension.ELEMENT, IceStatePacketExtension.NAMESPACE, IceStatePacketExtension.class);
    extension(SSRCInfoPacketExtension.ELEMENT, SSRCInfoPacketExtension.NAMESPACE, SSRCInfoPacketExtension.class);
    extension(WebSocketPacketExtension.ELEMENT, WebSocketPacketExtension.NAMESPACE, WebSocketPacketExtension.class);
    ProviderManager.addExtensionProvider(InitialLastN.ELEMENT, InitialLastN.NAMESPACE, new InitialLastNProvider());
    ProviderManager.addExtensionProvider(
        StartMutedPacketExtension.ELEMENT, StartMutedPacketExtension.NAMESPACE, new StartMutedProvider());
  }

  private static <T extends AbstractPacketExtension> void extension(String name, String namespace, Class<T> type) {
    ProviderManager.addExtensionProvider(name, namespace, new DefaultPacketExtensionProvider<>(type));
  }

  private static void describe(JingleIQ iq, ObjectNode o) throws JsonProcessingException {
    o.put("type", iq.getType().toString());
    o.put("action", text(iq.getAction()));
    o.put("sid", iq.getSID());
    o.put("initiator", text(iq.getInitiator()));
    o.put("responder", text(iq.getResponder()));
    ArrayNode contents = o.putArray("contents");
    for (ContentPacketExtension content : iq.getContentList()) {
      content(content, contents.addObject());
    }
    GroupPacketExtension group = iq.getExtension(GroupPacketExtension.class);
    if (group != null) {
      ObjectNode g = o.putObject("group");
      g.put("semantics", group.getSemantics());
      ArrayNode names = g.putArray("contents");
      group.getContents().forEach(c -> names.add(c.getName()));
    }
    if (iq.getReason() != null) {
      o.put("reason", iq.getReason().getReason().toString());
      o.put("reasonText", iq.getReason().getText());
    }
    BridgeSessionPacketExtension bridge = iq.getExtension(BridgeSessionPacketExtension.class);
    if (bridge != null) {
      ObjectNode b = o.putObject("bridgeSession");
      b.put("id", bridge.getId());
      b.put("region", bridge.getRegion());
      b.put("restart", bridge.isRestart());
      b.put("iceRestart", bridge.isIceRestart());
    }
    IceStatePacketExtension ice = iq.getExtension(IceStatePacketExtension.class);
    if (ice != null) {
      o.put("iceState", ice.getText());
    }
    StartMutedPacketExtension muted = iq.getExtension(StartMutedPacketExtension.class);
    if (muted != null) {
      o.putObject("startMuted").put("audio", muted.getAudioMuted()).put("video", muted.getVideoMuted());
    }
    JsonMessageExtension json = iq.getExtension(JsonMessageExtension.class);
    if (json != null) {
      o.set("json", JSON.readTree(json.getJson()));
    }
    o.put("written", iq.toXML(XmlEnvironment.EMPTY).toString());
  }

  private static void content(ContentPacketExtension c, ObjectNode o) {
    o.put("name", c.getName());
    // Their getters throw where the attribute is missing, as it is in source-add.
    o.put("creator", c.getAttributeAsString(ContentPacketExtension.CREATOR_ATTR_NAME));
    o.put("senders", c.getAttributeAsString(ContentPacketExtension.SENDERS_ATTR_NAME));
    InitialLastN lastN = c.getFirstChildOfType(InitialLastN.class);
    if (lastN != null) {
      o.put("initialLastN", lastN.getValue());
    }
    RtpDescriptionPacketExtension d = c.getFirstChildOfType(RtpDescriptionPacketExtension.class);
    if (d != null) {
      description(d, o.putObject("description"));
    }
    IceUdpTransportPacketExtension t = c.getFirstChildOfType(IceUdpTransportPacketExtension.class);
    if (t != null) {
      transport(t, o.putObject("transport"));
    }
  }

  private static void description(RtpDescriptionPacketExtension d, ObjectNode o) {
    o.put("media", d.getMedia());
    ArrayNode payloads = o.putArray("payloadTypes");
    for (PayloadTypePacketExtension p : d.getPayloadTypes()) {
      ObjectNode n = payloads.addObject().put("id", p.getID()).put("name", p.getName()).put("clockrate", p.getClockrate());
      n.put("channels", p.getChannels());
      ArrayNode parameters = n.putArray("parameters");
      for (ParameterPacketExtension x : p.getParameters()) {
        parameters.add(x.getName() + "=" + x.getValue());
      }
      ArrayNode feedback = n.putArray("feedback");
      for (RtcpFbPacketExtension f : p.getRtcpFeedbackTypeList()) {
        String subtype = f.getFeedbackSubtype();
        feedback.add(subtype == null ? f.getFeedbackType() : f.getFeedbackType() + " " + subtype);
      }
    }
    ArrayNode extensions = o.putArray("extensions");
    for (RTPHdrExtPacketExtension x : d.getExtmapList()) {
      extensions.addObject().put("id", Integer.parseInt(x.getID())).put("uri", x.getURI().toString());
    }
    o.put("extmapAllowMixed", d.getExtmapAllowMixed() != null);
    ArrayNode sources = o.putArray("sources");
    for (SourcePacketExtension s : d.getChildExtensionsOfType(SourcePacketExtension.class)) {
      ObjectNode n = sources.addObject().put("ssrc", s.getSSRC()).put("name", s.getName());
      n.put("videoType", s.getVideoType()).put("msid", s.getParameter("msid"));
      SSRCInfoPacketExtension info = s.getFirstChildOfType(SSRCInfoPacketExtension.class);
      n.put("owner", info == null ? null : text(info.getOwner()));
    }
    ArrayNode groups = o.putArray("groups");
    for (SourceGroupPacketExtension g : d.getChildExtensionsOfType(SourceGroupPacketExtension.class)) {
      ObjectNode n = groups.addObject().put("semantics", g.getSemantics());
      ArrayNode ssrcs = n.putArray("ssrcs");
      g.getSources().forEach(s -> ssrcs.add(s.getSSRC()));
    }
  }

  private static void transport(IceUdpTransportPacketExtension t, ObjectNode o) {
    o.put("ufrag", t.getUfrag());
    o.put("pwd", t.getPassword());
    o.put("generation", t.getIceGeneration());
    o.put("rtcpMux", t.isRtcpMux());
    ArrayNode candidates = o.putArray("candidates");
    for (CandidatePacketExtension c : t.getCandidateList()) {
      ObjectNode n = candidates.addObject().put("ip", c.getIP()).put("port", c.getPort()).put("type", text(c.getType()));
      n.put("protocol", c.getProtocol()).put("priority", c.getPriority()).put("foundation", c.getFoundation());
    }
    ArrayNode fingerprints = o.putArray("fingerprints");
    for (DtlsFingerprintPacketExtension f : t.getChildExtensionsOfType(DtlsFingerprintPacketExtension.class)) {
      fingerprints.addObject().put("hash", f.getHash()).put("setup", f.getSetup()).put("value", f.getFingerprint());
    }
    ArrayNode sockets = o.putArray("webSockets");
    for (WebSocketPacketExtension w : t.getChildExtensionsOfType(WebSocketPacketExtension.class)) {
      sockets.add(w.getUrl());
    }
    SctpMapExtension sctp = t.getFirstChildOfType(SctpMapExtension.class);
    if (sctp != null) {
      o.putObject("sctp").put("port", sctp.getPort()).put("protocol", sctp.getProtocol()).put("streams", sctp.getStreams());
    }
  }

  private static String text(Object o) {
    return o == null ? null : o.toString();
  }

  private JinglePeer() {}
}
