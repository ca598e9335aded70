// One participant on lib-jitsi-meet, driven by browser.mjs through `window.participant`. Events go out through
// `window.report(name, fields)`, which browser.mjs provides. The library's documented API only.
'use strict';

// Every peer connection, for statistics: P2P and bridge sessions come and go.
const connections = new Set();
const NativePeerConnection = window.RTCPeerConnection;
window.RTCPeerConnection = class extends NativePeerConnection {
  constructor(...args) {
    super(...args);
    connections.add(this);
  }

  setRemoteDescription(description) {
    if (description?.type !== 'offer') {
      return super.setRemoteDescription(description);
    }
    const preferred = window.participant.codec;
    const sdp = withoutDeadMsids(preferred ? codecFirst(description.sdp, preferred) : description.sdp);
    return super.setRemoteDescription({ type: 'offer', sdp });
  }
};

// This version of the library leaves the msid of a source that is gone in its inactive section, and adds a section for the source when it comes
// back. The browsers of its time took that; today's refuse two sections with one msid.
function withoutDeadMsids(sdp) {
  return sdp.split(/(?=^m=)/m).map(section => (/^a=inactive\r?$/m.test(section) ? section.replace(/^a=msid:.*\r?\n/gm, '') : section)).join('');
}

// This version of the library sets the parameters of a sender while it still does so for the constraint before. A browser refuses one of the two,
// of which the library only logs, and the camera may stay as the older one wanted it: off. Here each waits for the one before, and what was wanted
// is put into parameters that the browser knows by then.
const { getParameters, setParameters } = RTCRtpSender.prototype;
const wishes = new WeakMap();
Object.assign(RTCRtpSender.prototype, {
  getParameters() {
    const wish = wishes.get(this);
    return wish ? structuredClone(wish.wanted) : getParameters.call(this);
  },
  setParameters(wanted) {
    const before = wishes.get(this)?.done ?? Promise.resolve();
    const wish = { wanted: structuredClone(wanted) };
    wish.done = before.catch(() => {}).then(() => {
      const known = getParameters.call(this);
      const encodings = wish.wanted.encodings.map((encoding, i) => ({ ...encoding, rid: known.encodings[i]?.rid }));
      return setParameters.call(this, { ...known, encodings, degradationPreference: wish.wanted.degradationPreference });
    }).finally(() => wishes.get(this) === wish && wishes.delete(this));
    wishes.set(this, wish);
    return wish.done;
  },
});

// The payload types of a codec first in each video section of an offer: a browser sends the first one that it can, and this version of the
// library does not know the AV1 that today's focus offers first.
function codecFirst(sdp, codec) {
  return sdp.split(/(?=^m=)/m).map(section => {
    const types = [...section.matchAll(/^a=rtpmap:(\d+) (\w+)\//gm)].filter(m => m[2].toUpperCase() === codec).map(m => m[1]);
    return section.replace(/^(m=video \S+ \S+) (.*?)(\r?)$/m, (_, head, all, end) =>
      `${head} ${[...types, ...all.split(' ').filter(t => !types.includes(t))].join(' ')}${end}`);
  }).join('');
}

// When the focus or a peer invites: before the library looks at it.
const NativeWebSocket = window.WebSocket;
window.WebSocket = class extends NativeWebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', ({ data }) => /action=['"]session-initiate/.test(data) && report('session_initiate'));
  }
};

const report = (name, fields = {}) => window.report(name, fields);

class Participant {
  async join(options) {
    const { url, domain, muc, focus, room, name, id, password } = options;
    const media = options.media ?? ['audio', 'video'];
    this.codec = options.codec ?? 'VP8';
    JitsiMeetJS.init({
      disableAudioLevels: false,
      disableThirdPartyRequests: true,
      enableAnalyticsLogging: false,
      flags: { sourceNameSignaling: true, sendMultipleVideoStreams: true },
    });
    JitsiMeetJS.setLogLevel(JitsiMeetJS.logLevels[options.log ?? 'ERROR']);
    this.started = performance.now();
    this.connection = new JitsiMeetJS.JitsiConnection(null, null, {
      serviceUrl: `${url}${url.includes('?') ? '&' : '?'}room=${room}`,
      hosts: { domain, muc: muc ?? `conference.${domain}`, focus: focus ?? `focus.${domain}` },
      enableWebsocketResume: options.resume ?? true,
      p2p: { stunServers: [] },
    });
    await this.connect(id, password);
    report('connected', { ms: this.elapsed() });
    this.tracks = media.length === 0 ? [] : await this.create(media);
    const conference = this.connection.initJitsiConference(room, {
      p2p: { enabled: options.p2p ?? true, stunServers: [], backToP2PDelay: options.backToP2PDelay ?? 1, preferredCodec: 'VP8' },
      enableTalkWhileMuted: false,
      enableNoAudioDetection: false,
      enableNoisyMicDetection: false,
      openBridgeChannel: 'websocket',
      videoQuality: { preferredCodec: 'VP8' },
      statisticsId: 'jmeet-test',
    });
    this.conference = conference;
    this.listen(conference);
    if (name) {
      conference.setDisplayName(name);
    }
    for (const track of this.tracks) {
      await this.take(track);
    }
    conference.join(options.roomPassword);
    await new Promise((resolve, reject) => {
      conference.on(JitsiMeetJS.events.conference.CONFERENCE_JOINED, resolve);
      conference.on(JitsiMeetJS.events.conference.CONFERENCE_FAILED, (...why) => reject(new Error(why.join(' '))));
    });
    return { endpoint: conference.myUserId(), ms: this.elapsed() };
  }

  create(devices) {
    return JitsiMeetJS.createLocalTracks({
      devices,
      resolution: 180,
      constraints: { video: { width: { ideal: 320 }, height: { ideal: 180 }, frameRate: { max: 15 } } },
    });
  }

  async take(track) {
    await this.conference.addTrack(track);
    track.on(JitsiMeetJS.events.track.TRACK_MUTE_CHANGED, () => this.trackMuted(track));
  }

  // `kind`: audio, video or desktop. This version names a second video as the first one: a screen comes when the camera is gone.
  async add({ kind }) {
    const made = await this.create([kind]);
    // A browser gives the sound of a screen too.
    const track = made.find(t => t.getType() === (kind === 'audio' ? 'audio' : 'video'));
    await Promise.all(made.filter(t => t !== track).map(t => t.dispose()));
    if (kind === 'desktop') {
      // As small as the camera, so that machines without a graphics card encode it in time.
      await track.getTrack().applyConstraints({ width: 320, height: 180, frameRate: 15 });
    }
    await this.take(track);
    this.tracks.push(track);
    if (kind !== 'audio') {
      // This version looks for what the bridge wants of a video before the video has its name, finds nothing, and turns every layer off.
      await this.conference.setSenderVideoConstraint(720);
    }
    this.publish();
  }

  async remove({ kind }) {
    const track = this.tracks.find(t => t.getType() === kind);
    if (!track) {
      throw new Error(`no local ${kind} track`);
    }
    await this.conference.removeTrack(track);
    this.tracks.splice(this.tracks.indexOf(track), 1);
    await track.dispose();
  }

  // What the tracks are, in presence. This version does it when a source-add is answered, and leaves out a track that is not in place by then.
  publish() {
    this.conference._updateRoomPresence(this.conference.getActiveMediaSession());
  }

  elapsed() {
    return Math.round(performance.now() - this.started);
  }

  connect(id, password) {
    const events = JitsiMeetJS.events.connection;
    return new Promise((resolve, reject) => {
      this.connection.addEventListener(events.CONNECTION_ESTABLISHED, resolve);
      this.connection.addEventListener(events.CONNECTION_FAILED, (...why) => {
        report('connection_failed', { why: why.map(String) });
        reject(new Error(`connection failed: ${why.join(' ')}`));
      });
      this.connection.addEventListener(events.CONNECTION_DISCONNECTED, () => report('disconnected'));
      this.connection.connect(id ? { id, password } : {});
    });
  }

  listen(conference) {
    const e = JitsiMeetJS.events.conference;
    const on = (event, handler) => conference.on(event, handler);
    on(e.CONFERENCE_JOINED, () => report('joined', { endpoint: conference.myUserId(), ms: this.elapsed() }));
    on(e.CONFERENCE_LEFT, () => report('left'));
    on(e.CONFERENCE_FAILED, (...why) => report('failed', { why: why.map(String) }));
    on(e.KICKED, (actor, reason) => report('kicked', { actor: actor?.getId?.(), reason }));
    on(e.USER_JOINED, (id, user) => report('participant_joined', { endpoint: id, name: user.getDisplayName() }));
    on(e.USER_LEFT, id => report('participant_left', { endpoint: id }));
    on(e.USER_ROLE_CHANGED, (id, role) => report('role', { endpoint: id, role }));
    on(e.DISPLAY_NAME_CHANGED, (id, name) => report('display_name', { endpoint: id, name }));
    on(e.SUBJECT_CHANGED, subject => report('subject', { subject }));
    on(e.MESSAGE_RECEIVED, (id, text, stamp) => report('message', { endpoint: id, text, delayed: Boolean(stamp) }));
    on(e.PRIVATE_MESSAGE_RECEIVED, (id, text) => report('private_message', { endpoint: id, text }));
    on(e.ENDPOINT_MESSAGE_RECEIVED, (user, payload) => report('endpoint_message', { endpoint: user.getId?.(), payload }));
    on(e.P2P_STATUS, (_, active) => {
      report('p2p', { active });
      // This version publishes the mute state of its tracks when a bridge session starts, which is always there beside a
      // real Jicofo. Here it may be alone with its peer-to-peer session, so it is done for it.
      this.publish();
    });
    on(e.CONNECTION_INTERRUPTED, () => report('interrupted'));
    on(e.CONNECTION_RESTORED, () => report('restored'));
    on(e.TRACK_ADDED, track => this.trackAdded(track));
    on(e.TRACK_REMOVED, track => {
      if (!track.isLocal()) {
        report('track_removed', this.describe(track));
      }
    });
    on(e.TRACK_MUTE_CHANGED, track => {
      if (!track.isLocal()) {
        this.trackMuted(track);
      }
    });
  }

  describe(track) {
    const local = track.isLocal();
    return {
      endpoint: local ? this.conference.myUserId() : track.getParticipantId(),
      kind: track.getType(),
      source: track.getSourceName?.(),
      local,
      muted: track.isMuted(),
      p2p: local ? undefined : track.isP2P,
    };
  }

  trackMuted(track) {
    report('track_muted', this.describe(track));
  }

  trackAdded(track) {
    if (track.isLocal()) {
      return;
    }
    // Audio energy and decoded frames are only counted for what is played.
    const element = document.createElement(track.getType());
    element.autoplay = true;
    element.playsInline = true;
    document.body.append(element);
    track.attach(element);
    element.requestVideoFrameCallback?.(() => report('first_frame', this.describe(track)));
    report('track_added', this.describe(track));
  }

  send({ text, to }) {
    if (to) {
      this.conference.sendMessage(text, to);
    } else {
      this.conference.sendMessage(text);
    }
  }

  async mute({ kind, muted }) {
    const track = this.tracks.find(t => t.getType() === kind);
    if (!track) {
      throw new Error(`no local ${kind} track`);
    }
    await (muted ? track.mute() : track.unmute());
  }

  rename({ name }) {
    this.conference.setDisplayName(name);
  }

  subject({ text }) {
    this.conference.setSubject(text);
  }

  muteParticipant({ endpoint, kind }) {
    this.conference.muteParticipant(endpoint, kind);
  }

  kick({ endpoint, reason }) {
    this.conference.kickParticipant(endpoint, reason);
  }

  participants() {
    return this.conference.getParticipants().map(p => ({
      endpoint: p.getId(),
      name: p.getDisplayName(),
      role: p.getRole(),
      jid: p.getConnectionJid?.(),
      tracks: p.getTracks().map(t => this.describe(t)),
    }));
  }

  state() {
    return {
      endpoint: this.conference?.myUserId(),
      joined: Boolean(this.conference?.isJoined()),
      moderator: Boolean(this.conference?.isModerator()),
      p2p: Boolean(this.conference?.isP2PActive()),
    };
  }

  // Sums over all live peer connections; counters of RFC-less W3C webrtc-stats, names as there.
  async stats() {
    const kinds = { audio: {}, video: {} };
    const out = { connections: 0, selected: [], senders: [], inbound: structuredClone(kinds), outbound: structuredClone(kinds) };
    const counters = ['bytesReceived', 'bytesSent', 'packetsReceived', 'packetsLost', 'packetsSent', 'framesDecoded', 'framesEncoded',
      'keyFramesDecoded', 'keyFramesEncoded', 'framesReceived', 'framesDropped', 'totalAudioEnergy', 'totalSamplesReceived',
      'concealedSamples', 'nackCount', 'pliCount', 'firCount', 'retransmittedPacketsReceived', 'retransmittedPacketsSent'];
    for (const pc of connections) {
      if (pc.connectionState === 'closed') {
        connections.delete(pc);
        continue;
      }
      out.connections += 1;
      // What each sender was told to send: why nothing comes of a camera is often here.
      out.senders.push(...pc.getSenders().map(s => ({ kind: s.track?.kind, muted: s.track?.muted, state: s.track?.readyState,
        active: getParameters.call(s).encodings?.map(e => e.active), changing: wishes.has(s) })));
      const all = new Map();
      (await pc.getStats()).forEach(s => all.set(s.id, s));
      for (const s of all.values()) {
        const into = { 'inbound-rtp': out.inbound, 'outbound-rtp': out.outbound }[s.type]?.[s.kind];
        if (into) {
          for (const c of counters) {
            if (typeof s[c] === 'number') {
              into[c] = (into[c] ?? 0) + s[c];
            }
          }
          into.codec = all.get(s.codecId)?.mimeType ?? into.codec;
          into.width = s.frameWidth ?? into.width;
          into.height = s.frameHeight ?? into.height;
          into.audioLevel = s.audioLevel ?? into.audioLevel;
        }
        if (s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded') {
          const side = id => {
            const c = all.get(id);
            return c && { type: c.candidateType, address: c.address, port: c.port, protocol: c.protocol };
          };
          out.selected.push({ local: side(s.localCandidateId), remote: side(s.remoteCandidateId), rtt: s.currentRoundTripTime });
        }
      }
    }
    return out;
  }

  // What is received of each remote track, by its source's name (or endpoint and kind).
  async remote() {
    const inbound = new Map();
    for (const pc of connections) {
      if (pc.connectionState !== 'closed') {
        (await pc.getStats()).forEach(s => s.type === 'inbound-rtp' && inbound.set(`${s.trackIdentifier}`, s));
      }
    }
    const out = {};
    for (const p of this.conference.getParticipants()) {
      for (const track of p.getTracks()) {
        const s = inbound.get(track.getTrack().id) ?? {};
        out[track.getSourceName?.() ?? `${p.getId()}-${track.getType()}`] = {
          endpoint: p.getId(), kind: track.getType(), videoType: track.videoType, muted: track.isMuted(), p2p: track.isP2P,
          ssrc: s.ssrc, bytes: s.bytesReceived ?? 0, frames: s.framesDecoded ?? 0, energy: s.totalAudioEnergy ?? 0,
          keyFrames: s.keyFramesDecoded ?? 0, width: s.frameWidth, height: s.frameHeight, codec: s.codecId,
        };
      }
    }
    return out;
  }

  async leave() {
    const conference = this.conference;
    this.conference = undefined;
    try {
      await conference?.leave();
    } finally {
      await Promise.all((this.tracks ?? []).map(t => t.dispose().catch(() => {})));
      this.tracks = [];
      await this.connection?.disconnect();
      this.connection = undefined;
    }
  }
}

window.participant = new Participant();
