//! What the bridge says; docs/protocol/04 §2.

use super::{BridgeVideoType, ColibriError, MAX_LIST, height, name, names, object, scan, ssrc, text};
use serde_json::{Map, Value, json};

/// A message of the bridge to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum FromBridge {
    /// `version` only where the bridge is configured to tell it.
    ServerHello {
        version: Option<String>,
    },
    /// Of another endpoint, for us or for everybody. `from` is written by the bridge and can be trusted; `payload` is a JSON
    /// object, as its sender wrote it.
    EndpointMessage {
        from: String,
        to: String,
        payload: String,
    },
    /// Statistics of another endpoint; the fields are the sender's.
    EndpointStats {
        from: String,
        stats: Map<String, Value>,
    },
    DominantSpeaker(Speakers),
    /// The bridge hears something of an endpoint, or not any more.
    EndpointConnectivity {
        endpoint: String,
        active: bool,
    },
    /// All video sources that are forwarded to us now.
    ForwardedSources(Vec<String>),
    /// The greatest height that anybody wants of a source of ours: −1 any, 0 none.
    SenderSourceConstraints {
        source: String,
        max_height: i32,
    },
    /// New or changed slots of SSRC rewriting.
    VideoSourcesMap(Vec<MappedSource>),
    AudioSourcesMap(Vec<MappedSource>),
    /// What the bridge thinks that our downlink carries, bit/s.
    ConnectionStats {
        downlink: u64,
    },
    /// A source that the bridge makes (translated audio) begins or stops, at this RTP time.
    SyntheticSourceSending {
        source: String,
        sending: bool,
        timestamp: u32,
    },
    /// A class that is not known.
    Unknown(String),
}

/// Who speaks, and who spoke before.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Speakers {
    /// The dominant speaker; in silence the last one. May be ourselves.
    pub dominant: String,
    /// Earlier ones, the latest first.
    pub previous: Vec<String>,
    /// Nobody speaks, where the bridge looks for that.
    pub silence: bool,
}

/// One slot of SSRC rewriting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedSource {
    pub source: String,
    /// Its owner's endpoint id; none when the bridge names none.
    pub owner: Option<String>,
    pub ssrc: u32,
    pub rtx: Option<u32>,
    /// Of video.
    pub video_type: Option<BridgeVideoType>,
    /// Stays with the slot, not with the source.
    pub mid: Option<String>,
}

impl FromBridge {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it; the channel goes on.
    pub fn parse(message: &str) -> Result<FromBridge, ColibriError> {
        let (class, m) = object(message)?;
        let field = ColibriError::Field;
        let string = |key: &'static str| m.get(key).and_then(name).ok_or(field(key));
        Ok(match class.as_str() {
            "ServerHello" => FromBridge::ServerHello { version: m.get("version").and_then(name) },
            "EndpointMessage" => {
                let payload = m.get("msgPayload").filter(|p| p.is_object()).ok_or(field("msgPayload"))?;
                let payload = scan::member(message, "msgPayload").map_or_else(|| payload.to_string(), str::to_owned);
                let to = m.get("to").and_then(name).unwrap_or_default();
                FromBridge::EndpointMessage { from: string("from")?, to, payload }
            }
            "EndpointStats" => {
                let from = string("from")?;
                let mut stats = m;
                stats.remove("from");
                FromBridge::EndpointStats { from, stats }
            }
            "DominantSpeakerEndpointChangeEvent" => FromBridge::DominantSpeaker(Speakers {
                dominant: string("dominantSpeakerEndpoint")?,
                previous: names(m.get("previousSpeakers")).unwrap_or_default(),
                silence: m.get("silence").and_then(Value::as_bool).unwrap_or(false),
            }),
            "EndpointConnectivityStatusChangeEvent" => {
                // The truth value is a string on the wire; a real one is taken too.
                let active = match m.get("active") {
                    Some(Value::String(s)) => s.eq_ignore_ascii_case("true"),
                    Some(Value::Bool(b)) => *b,
                    _ => return Err(field("active")),
                };
                FromBridge::EndpointConnectivity { endpoint: string("endpoint")?, active }
            }
            "ForwardedSources" => {
                FromBridge::ForwardedSources(names(m.get("forwardedSources")).ok_or(field("forwardedSources"))?)
            }
            "SenderSourceConstraints" => FromBridge::SenderSourceConstraints {
                source: string("sourceName")?,
                max_height: m.get("maxHeight").and_then(height).ok_or(field("maxHeight"))?,
            },
            "VideoSourcesMap" => FromBridge::VideoSourcesMap(mapped(&m)?),
            "AudioSourcesMap" => FromBridge::AudioSourcesMap(mapped(&m)?),
            "ConnectionStats" => {
                let downlink = m.get("estimatedDownlinkBandwidth").and_then(Value::as_f64);
                let downlink = downlink.filter(|d| *d >= 0.0).ok_or(field("estimatedDownlinkBandwidth"))?;
                // Saturates; a bandwidth has no need of more.
                FromBridge::ConnectionStats { downlink: downlink as u64 }
            }
            "SyntheticSourceSendingChangeEvent" => {
                let timestamp = m.get("timestamp").and_then(Value::as_u64).and_then(|t| u32::try_from(t).ok());
                FromBridge::SyntheticSourceSending {
                    source: string("sourceName")?,
                    sending: m.get("sending").and_then(Value::as_bool).ok_or(field("sending"))?,
                    timestamp: timestamp.ok_or(field("timestamp"))?,
                }
            }
            _ => FromBridge::Unknown(class),
        })
    }

    /// Writes a message as a bridge does.
    pub fn to_text(&self) -> String {
        let fields = |v: Value| match v {
            Value::Object(m) => m,
            _ => Map::new(),
        };
        match self {
            FromBridge::ServerHello { version: None } => text("ServerHello", Map::new()),
            FromBridge::ServerHello { version: Some(v) } => text("ServerHello", fields(json!({ "version": v }))),
            FromBridge::EndpointMessage { from, to, payload } => {
                let mut m = text("EndpointMessage", fields(json!({ "to": to, "from": from })));
                m.pop();
                m + ",\"msgPayload\":" + payload + "}"
            }
            FromBridge::EndpointStats { from, stats } => {
                let mut m = fields(json!({ "from": from }));
                m.extend(stats.clone());
                text("EndpointStats", m)
            }
            FromBridge::DominantSpeaker(s) => text(
                "DominantSpeakerEndpointChangeEvent",
                fields(json!({
                    "dominantSpeakerEndpoint": s.dominant, "previousSpeakers": s.previous, "silence": s.silence,
                })),
            ),
            FromBridge::EndpointConnectivity { endpoint, active } => text(
                "EndpointConnectivityStatusChangeEvent",
                fields(json!({ "endpoint": endpoint, "active": active.to_string() })),
            ),
            FromBridge::ForwardedSources(s) => text("ForwardedSources", fields(json!({ "forwardedSources": s }))),
            FromBridge::SenderSourceConstraints { source, max_height } => {
                text("SenderSourceConstraints", fields(json!({ "sourceName": source, "maxHeight": max_height })))
            }
            FromBridge::VideoSourcesMap(s) => text("VideoSourcesMap", written(s)),
            FromBridge::AudioSourcesMap(s) => text("AudioSourcesMap", written(s)),
            FromBridge::ConnectionStats { downlink } => {
                text("ConnectionStats", fields(json!({ "estimatedDownlinkBandwidth": downlink })))
            }
            FromBridge::SyntheticSourceSending { source, sending, timestamp } => text(
                "SyntheticSourceSendingChangeEvent",
                fields(json!({ "sourceName": source, "sending": sending, "timestamp": timestamp })),
            ),
            FromBridge::Unknown(class) => text(class, Map::new()),
        }
    }
}

fn mapped(m: &Map<String, Value>) -> Result<Vec<MappedSource>, ColibriError> {
    let all = m.get("mappedSources").and_then(Value::as_array).ok_or(ColibriError::Field("mappedSources"))?;
    let one = |v: &Value| {
        Some(MappedSource {
            source: name(v.get("source")?)?,
            owner: v.get("owner").and_then(name),
            ssrc: ssrc(v.get("ssrc")?)?,
            // "-1" stands for none in older bridges.
            rtx: v.get("rtx").and_then(ssrc),
            video_type: v.get("videoType").and_then(Value::as_str).and_then(BridgeVideoType::parse),
            mid: v.get("mid").and_then(name),
        })
    };
    Ok(all.iter().filter_map(one).take(MAX_LIST).collect())
}

fn written(sources: &[MappedSource]) -> Map<String, Value> {
    let one = |s: &MappedSource| {
        let mut m = Map::new();
        m.insert("source".into(), s.source.clone().into());
        m.insert("owner".into(), s.owner.clone().into());
        m.insert("ssrc".into(), s.ssrc.into());
        if let Some(rtx) = s.rtx {
            m.insert("rtx".into(), rtx.into());
        }
        if let Some(t) = s.video_type {
            m.insert("videoType".into(), t.as_str().to_uppercase().into());
        }
        if let Some(mid) = &s.mid {
            m.insert("mid".into(), mid.clone().into());
        }
        Value::Object(m)
    };
    let mut m = Map::new();
    m.insert("mappedSources".into(), sources.iter().map(one).collect());
    m
}
