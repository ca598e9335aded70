//! What a client says to the bridge; docs/protocol/04 §2.

use super::{BridgeVideoType, ColibriError, MAX_LIST, height, name, object, scan, text};
use crate::few::gathered;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A message of a client to the bridge.
#[derive(Clone, Debug, PartialEq)]
pub enum ToBridge {
    ClientHello,
    /// `to`: an endpoint id; empty: everybody else. `payload` is a JSON object.
    EndpointMessage {
        to: String,
        payload: Value,
    },
    EndpointStats(Box<EndpointStats>),
    ReceiverVideoConstraints(ReceiverConstraints),
    ReceiverAudioSubscription(AudioSubscription),
    SourceVideoType {
        source: String,
        video_type: BridgeVideoType,
    },
    /// Of older clients: [`ReceiverConstraints::last_n`] alone. It does not count as the first message, which sets a default
    /// height (§2.6).
    LastN(i32),
    /// Of older clients: what `<endpoint>-v0` is (§2.7).
    VideoType(BridgeVideoType),
}

/// Which video we want (§2.5). A field that is `None` leaves the bridge's value as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReceiverConstraints {
    /// Greatest number of sources: −1 any.
    pub last_n: Option<i32>,
    /// Most important first; they get what they want before the others get anything.
    pub on_stage: Option<Vec<String>>,
    pub selected: Option<Vec<String>>,
    /// Greatest height of a source that is not named: −1 any, 0 none.
    pub default_height: Option<i32>,
    /// Greatest height by source name; replaces all that was said before.
    pub heights: Option<BTreeMap<String, i32>>,
    /// bit/s; −1: the bridge's own estimate.
    pub assumed_bandwidth: Option<i64>,
}

/// Which audio we want (§2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioSubscription {
    pub all: bool,
    /// Source names wanted beside `all`; the only way to get a synthetic source.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

impl Default for AudioSubscription {
    /// Everything, as it is before anything was said.
    fn default() -> AudioSubscription {
        AudioSubscription { all: true, include: Vec::new(), exclude: Vec::new() }
    }
}

/// kbit/s up and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bitrates {
    pub upload: u32,
    pub download: u32,
}

/// Percent of packets lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    pub total: u8,
    pub upload: u8,
    pub download: u8,
}

/// Our statistics, as other clients show them (§2.4, §17).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointStats {
    pub audio: Bitrates,
    pub video: Bitrates,
    pub loss: Loss,
    /// 0 to 100.
    pub connection_quality: u8,
    /// Round trip to the bridge, ms.
    pub jvb_rtt: Option<u32>,
    /// Greatest height that we send.
    pub max_height: Option<u32>,
    pub server_region: Option<String>,
}

impl ToBridge {
    /// Writes a message.
    pub fn to_text(&self) -> String {
        match self {
            ToBridge::ClientHello => text("ClientHello", Map::new()),
            ToBridge::EndpointMessage { to, payload } => {
                let mut m = Map::new();
                m.insert("to".into(), to.clone().into());
                m.insert("msgPayload".into(), payload.clone());
                text("EndpointMessage", m)
            }
            ToBridge::EndpointStats(s) => text("EndpointStats", s.fields()),
            ToBridge::ReceiverVideoConstraints(c) => text("ReceiverVideoConstraints", c.fields()),
            ToBridge::ReceiverAudioSubscription(a) => {
                let mut m = Map::new();
                m.insert("all".into(), a.all.into());
                m.insert("include".into(), a.include.clone().into());
                m.insert("exclude".into(), a.exclude.clone().into());
                text("ReceiverAudioSubscription", m)
            }
            ToBridge::SourceVideoType { source, video_type } => {
                let mut m = Map::new();
                m.insert("sourceName".into(), source.clone().into());
                m.insert("videoType".into(), video_type.as_str().into());
                text("SourceVideoTypeMessage", m)
            }
            ToBridge::LastN(n) => text("LastNChangedEvent", one("lastN", (*n).into())),
            ToBridge::VideoType(t) => text("VideoTypeMessage", one("videoType", t.as_str().into())),
        }
    }

    /// Reads a message as the videobridge does (§1.6): an unknown key drops all of it, but in statistics and application
    /// messages. For bridges in tests.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(message: &str) -> Result<ToBridge, ColibriError> {
        let (class, m) = object(message)?;
        if scan::names_a_key_twice(message) {
            return Err(ColibriError::DuplicateKey);
        }
        let known = |keys: &[&str]| {
            if m.keys().all(|k| keys.contains(&k.as_str())) {
                Ok(())
            } else {
                Err(ColibriError::Field("an unknown key"))
            }
        };
        Ok(match class.as_str() {
            "ClientHello" => {
                known(&[])?;
                ToBridge::ClientHello
            }
            "EndpointMessage" => ToBridge::EndpointMessage {
                to: m.get("to").and_then(Value::as_str).ok_or(ColibriError::Field("to"))?.trim().to_owned(),
                payload: m.get("msgPayload").cloned().unwrap_or(Value::Null),
            },
            "EndpointStats" => ToBridge::EndpointStats(Box::new(EndpointStats::read(&m))),
            "LastNChangedEvent" => {
                known(&["lastN"])?;
                ToBridge::LastN(m.get("lastN").and_then(height).ok_or(ColibriError::Field("lastN"))?)
            }
            "VideoTypeMessage" => {
                known(&["videoType", "endpointId"])?;
                ToBridge::VideoType(video_type(&m)?)
            }
            "ReceiverVideoConstraints" => {
                known(&[
                    "lastN",
                    "selectedSources",
                    "onStageSources",
                    "defaultConstraints",
                    "constraints",
                    "assumedBandwidthBps",
                ])?;
                ToBridge::ReceiverVideoConstraints(ReceiverConstraints::read(&m)?)
            }
            "ReceiverAudioSubscription" => {
                known(&["all", "include", "exclude", "mode", "list"])?;
                ToBridge::ReceiverAudioSubscription(AudioSubscription::read(&m)?)
            }
            "SourceVideoTypeMessage" => {
                known(&["sourceName", "videoType", "endpointId"])?;
                let source = m.get("sourceName").and_then(name).ok_or(ColibriError::Field("sourceName"))?;
                ToBridge::SourceVideoType { source, video_type: video_type(&m)? }
            }
            _ => return Err(ColibriError::Field("colibriClass")),
        })
    }
}

fn one(key: &str, value: Value) -> Map<String, Value> {
    gathered([(key.to_owned(), value)])
}

/// Absent is nothing said; of a wrong type is an error.
fn optional<T>(
    m: &Map<String, Value>,
    key: &'static str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, ColibriError> {
    m.get(key).map(|v| read(v).ok_or(ColibriError::Field(key))).transpose()
}

/// All of a list, or nothing: one wrong entry costs the whole message.
fn list(v: &Value) -> Option<Vec<String>> {
    let all = v.as_array().filter(|a| a.len() <= MAX_LIST)?;
    all.iter().map(|v| v.as_str().map(str::to_owned)).collect()
}

fn video_type(m: &Map<String, Value>) -> Result<BridgeVideoType, ColibriError> {
    let said = m.get("videoType").and_then(Value::as_str).and_then(BridgeVideoType::parse);
    said.ok_or(ColibriError::Field("videoType"))
}

impl AudioSubscription {
    /// Also in the way of older clients, a `mode` with a `list`, which outdoes the fields of today.
    fn read(m: &Map<String, Value>) -> Result<AudioSubscription, ColibriError> {
        let names = |key| Ok(optional(m, key, list)?.unwrap_or_default());
        let (include, exclude, listed) = (names("include")?, names("exclude")?, names("list")?);
        let all = optional(m, "all", Value::as_bool)?.unwrap_or(false);
        let (all, include, exclude) = match m.get("mode").map(Value::as_str) {
            None => (all, include, exclude),
            Some(Some("All")) => (true, Vec::new(), Vec::new()),
            Some(Some("None")) => (false, Vec::new(), Vec::new()),
            Some(Some("Include")) => (false, listed, Vec::new()),
            Some(Some("Exclude")) => (true, Vec::new(), listed),
            Some(_) => return Err(ColibriError::Field("mode")),
        };
        Ok(AudioSubscription { all, include, exclude })
    }
}

impl ReceiverConstraints {
    fn fields(&self) -> Map<String, Value> {
        let mut m = Map::new();
        let mut put = |key: &str, v: Option<Value>| v.map(|v| m.insert(key.into(), v));
        put("lastN", self.last_n.map(Value::from));
        put("selectedSources", self.selected.clone().map(Value::from));
        put("onStageSources", self.on_stage.clone().map(Value::from));
        put("defaultConstraints", self.default_height.map(|h| json!({ "maxHeight": h })));
        let heights = self
            .heights
            .as_ref()
            .map(|all| Value::Object(gathered(all.iter().map(|(name, h)| (name.clone(), json!({ "maxHeight": h }))))));
        put("constraints", heights);
        put("assumedBandwidthBps", self.assumed_bandwidth.map(Value::from));
        m
    }

    fn read(m: &Map<String, Value>) -> Result<ReceiverConstraints, ColibriError> {
        let constraint = |v: &Value| {
            let h = v.get("maxHeight").and_then(height)?;
            // A frame rate of 0 switches a source off; other good ones are not looked at.
            let rate = v.get("maxFrameRate").map_or(Some(-1.0), Value::as_f64).filter(|r| *r >= 0.0 || *r == -1.0)?;
            Some(if rate == 0.0 { 0 } else { h })
        };
        let each = |v: &Value| {
            let mut all = BTreeMap::new();
            for (name, v) in v.as_object()? {
                all.insert(name.clone(), constraint(v)?);
            }
            Some(all)
        };
        Ok(ReceiverConstraints {
            last_n: optional(m, "lastN", height)?,
            on_stage: optional(m, "onStageSources", list)?,
            selected: optional(m, "selectedSources", list)?,
            default_height: optional(m, "defaultConstraints", constraint)?,
            heights: optional(m, "constraints", each)?,
            assumed_bandwidth: optional(m, "assumedBandwidthBps", Value::as_i64)?,
        })
    }
}

impl EndpointStats {
    fn fields(&self) -> Map<String, Value> {
        let (a, v, l) = (self.audio, self.video, self.loss);
        let both = |b: Bitrates| json!({ "upload": b.upload, "download": b.download });
        let bitrate = json!({
            "upload": a.upload.saturating_add(v.upload), "download": a.download.saturating_add(v.download),
            "audio": both(a), "video": both(v),
        });
        let mut m = Map::new();
        m.insert("bitrate".into(), bitrate);
        m.insert("packetLoss".into(), json!({ "total": l.total, "upload": l.upload, "download": l.download }));
        m.insert("connectionQuality".into(), self.connection_quality.into());
        if let Some(rtt) = self.jvb_rtt {
            m.insert("jvbRTT".into(), rtt.into());
        }
        if let Some(h) = self.max_height {
            m.insert("maxEnabledResolution".into(), h.into());
        }
        // Null, and not left out, where there is none (observed).
        m.insert("serverRegion".into(), self.server_region.clone().into());
        m
    }

    /// What of somebody's statistics is understood; all of it is optional.
    pub fn read(m: &Map<String, Value>) -> EndpointStats {
        let whole = |v: Option<&Value>| {
            let n = v.and_then(Value::as_f64).filter(|n| *n >= 0.0)?;
            Some(n as u32)
        };
        let percent = |v: Option<&Value>| whole(v).map_or(0, |n| n.min(100) as u8);
        let (bitrate, loss) = (m.get("bitrate"), m.get("packetLoss"));
        let both = |kind: &str| {
            let b = bitrate.and_then(|b| b.get(kind));
            let one = |way: &str| whole(b.and_then(|b| b.get(way))).unwrap_or(0);
            Bitrates { upload: one("upload"), download: one("download") }
        };
        let lost = |way: &str| percent(loss.and_then(|l| l.get(way)));
        EndpointStats {
            audio: both("audio"),
            video: both("video"),
            loss: Loss { total: lost("total"), upload: lost("upload"), download: lost("download") },
            connection_quality: percent(m.get("connectionQuality")),
            jvb_rtt: whole(m.get("jvbRTT")),
            max_height: whole(m.get("maxEnabledResolution")),
            server_region: m.get("serverRegion").and_then(name),
        }
    }
}
