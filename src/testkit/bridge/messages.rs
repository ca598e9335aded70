//! The channel in use (docs/protocol/04 §1.3, §1.5, §2): who may open a WebSocket, what is said on opening, and what each message
//! of a client does.

use super::Bridge;
use super::channel::{self, Incoming};
use super::types::{ChannelKind, Event, Kind, Output, SocketKey};
use crate::time::Time;
use crate::wire::colibri::{BridgeVideoType, FromBridge, ReceiverConstraints};
use serde_json::{Map, Value};

/// Above so many endpoints statistics go to those only who look at their sender.
const STATS_TO_ALL: usize = 20;

impl Bridge {
    /// A client asks for a WebSocket with this path and query: it is accepted or refused at once, and said so as an output.
    pub fn handle_websocket_opened(&mut self, key: SocketKey, path: &str, now: Time) {
        if self.dead {
            return;
        }
        match self.authorise(path) {
            Err(status) => self.outputs.push_back(Output::WebSocketRefuse(key, status)),
            Ok(id) => {
                self.outputs.push_back(Output::WebSocketAccept(key));
                let Some(e) = self.endpoints.get_mut(&id) else { return };
                if let Some(old) = e.channel.socket.replace(key) {
                    self.sockets.remove(&old);
                    self.outputs.push_back(Output::WebSocketClose(old, 1000, "replaced"));
                }
                e.channel.heard(ChannelKind::WebSocket);
                self.sockets.insert(key, id.clone());
                self.channel_open(&id, ChannelKind::WebSocket, now);
                self.pump(now);
            }
        }
    }

    /// A text on a WebSocket.
    pub fn handle_websocket_text(&mut self, key: SocketKey, text: &str, now: Time) {
        if let Some(id) = self.sockets.get(&key).cloned() {
            self.on_text(&id, ChannelKind::WebSocket, text.to_owned(), now);
            self.pump(now);
        }
    }

    /// A WebSocket is gone.
    pub fn handle_websocket_closed(&mut self, key: SocketKey, _now: Time) {
        let Some(id) = self.sockets.remove(&key) else { return };
        if let Some(e) = self.endpoints.get_mut(&id) {
            e.channel.socket = e.channel.socket.filter(|k| *k != key);
            self.event(Event::ChannelClosed { endpoint: id, kind: ChannelKind::WebSocket });
        }
    }

    /// Closes a client's WebSocket with this code; a test's choice.
    pub fn close_websocket(&mut self, id: &str, code: u16, reason: &'static str) {
        let Some(key) = self.endpoints.get_mut(id).and_then(|e| e.channel.socket.take()) else { return };
        self.sockets.remove(&key);
        self.outputs.push_back(Output::WebSocketClose(key, code, reason));
        self.event(Event::ChannelClosed { endpoint: id.to_owned(), kind: ChannelKind::WebSocket });
    }

    /// The endpoint of a URL's path and query, or the HTTP status of the refusal.
    fn authorise(&self, path: &str) -> Result<String, u16> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let prefix = |base: &&String| {
            let after_host = base.split_once("://").map_or(base.as_str(), |u| u.1);
            let own = after_host.find('/').map_or("", |at| &after_host[at..]);
            path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
        };
        let base = self.config.websocket_urls.iter().find(prefix).ok_or(404u16)?;
        let after_host = base.split_once("://").map_or(base.as_str(), |u| u.1);
        let own = after_host.find('/').map_or(0, |at| after_host.len() - at);
        let mut parts = path[own + 1..].split('/');
        let (Some(conference), Some(id), None) = (parts.next(), parts.next(), parts.next()) else { return Err(404) };
        let pwd = query.strip_prefix("pwd=").ok_or(403u16)?;
        let e = self.endpoints.get(id).ok_or(403u16)?;
        let same = self.conferences.get(&e.options.conference).is_some_and(|c| c.id == conference);
        if same && e.password == pwd && self.config.websocket && e.options.websocket {
            Ok(id.to_owned())
        } else {
            Err(403)
        }
    }

    /// What is said when a channel opens, each time.
    pub(super) fn channel_open(&mut self, id: &str, kind: ChannelKind, now: Time) {
        self.event(Event::ChannelOpen { endpoint: id.to_owned(), kind });
        let mut messages = Vec::new();
        if kind == ChannelKind::WebSocket {
            messages.push(FromBridge::ServerHello { version: self.config.version.clone() });
        }
        let Some(e) = self.endpoints.get(id) else { return };
        messages.extend(e.sources.iter().filter_map(|s| {
            let (source, max_height) = (s.signalled.name.clone(), s.told?);
            Some(FromBridge::SenderSourceConstraints { source, max_height })
        }));
        messages.push(FromBridge::ForwardedSources(e.receiver.forwarded.clone()));
        if e.options.ssrc_rewriting {
            let type_of = |name: &str| {
                let all = self.endpoints.values().flat_map(|e| &e.sources);
                all.into_iter().find(|s| s.signalled.name == name).map_or(BridgeVideoType::Camera, |s| s.video_type)
            };
            let video = e.receiver.maps(Kind::Video, type_of);
            let audio = e.receiver.maps(Kind::Audio, type_of);
            messages.extend((!video.is_empty()).then_some(FromBridge::VideoSourcesMap(video)));
            messages.extend((!audio.is_empty()).then_some(FromBridge::AudioSourcesMap(audio)));
        }
        let conference = &e.options.conference;
        let members = self.members(conference);
        let of = members.iter().filter_map(|k| self.endpoints.by(*k)).filter(|o| o.inactive);
        messages.extend(of.map(|o| FromBridge::EndpointConnectivity { endpoint: o.id.clone(), active: false }));
        let speakers = self.conferences.get(conference).and_then(|c| c.speakers.message());
        messages.extend(speakers.map(FromBridge::DominantSpeaker));
        if let Some(e) = self.endpoints.get_mut(id) {
            for m in &messages {
                e.say(m, &mut self.outputs, now);
            }
        }
    }

    /// A message of a client.
    pub(super) fn on_text(&mut self, id: &str, kind: ChannelKind, text: String, now: Time) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        e.channel.heard(kind);
        let read = channel::read(&text, self.config.lib_jitsi_meet_2022);
        let endpoint = id.to_owned();
        match read {
            Ok(m) => {
                self.event(Event::Message { endpoint, text });
                self.on_message(id, m, now);
            }
            Err(reason) => self.event(Event::Dropped { endpoint, text, reason }),
        }
    }

    fn on_message(&mut self, id: &str, m: Incoming, now: Time) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        let conference = e.options.conference.clone();
        match m {
            Incoming::Hello => {
                let hello = FromBridge::ServerHello { version: self.config.version.clone() };
                e.say(&hello, &mut self.outputs, now);
            }
            Incoming::Message(to, object) => self.on_endpoint_message(id, &conference, &to, object, now),
            Incoming::Stats(object) => {
                let text = from(object, id);
                let everybody = self.members(&conference).len() <= STATS_TO_ALL;
                let spoke =
                    self.conferences.get(&conference).is_some_and(|c| c.speakers.recent().iter().any(|s| s == id));
                for key in self.members(&conference) {
                    let Some(e) = self.endpoints.quietly(key).filter(|e| e.id != id) else { continue };
                    let of_sender = |name: &String| name.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
                    let s = &e.receiver.settings;
                    let looks = s.on_stage.iter().chain(&s.selected).any(of_sender)
                        || e.receiver.allocated.iter().any(|a| a.effective != 0 && of_sender(&a.name));
                    if everybody || spoke || looks {
                        e.say_text(text.clone(), &mut self.outputs, now);
                        self.endpoints.touch(key);
                    }
                }
            }
            Incoming::Constraints(c) => {
                e.receiver.settings.take(c);
                self.changed(&conference);
            }
            Incoming::LastN(n) => {
                e.receiver.settings.last_n = n;
                self.changed(&conference);
            }
            Incoming::Audio(a) => {
                e.receiver.subscription = a;
                self.rerouted(&conference);
            }
            Incoming::VideoType(source, video_type) => {
                let name = source.unwrap_or_else(|| format!("{id}-v0"));
                if let Some(s) = e.source(&name) {
                    s.video_type = video_type;
                } else if e.early_types.len() < super::MAX_SOURCES {
                    e.early_types.insert(name, video_type);
                }
                self.changed(&conference);
            }
        }
    }

    fn on_endpoint_message(&mut self, id: &str, conference: &str, to: &str, object: Map<String, Value>, now: Time) {
        let text = from(object, id);
        if to.is_empty() {
            self.tell_all(conference, Some(id), &text, now);
        } else if let Some(e) = self.endpoints.get_mut(to).filter(|e| e.options.conference == conference) {
            e.say_text(text, &mut self.outputs, now);
        }
    }

    /// Takes constraints as if the client had said them on its channel; for tests whose clients have none.
    pub fn set_constraints(&mut self, id: &str, constraints: ReceiverConstraints, now: Time) {
        self.on_message(id, Incoming::Constraints(constraints), now);
        self.pump(now);
    }
}

/// The object with its sender, which a client cannot choose.
fn from(mut object: Map<String, Value>, id: &str) -> String {
    object.insert("from".into(), id.into());
    Value::Object(object).to_string()
}
