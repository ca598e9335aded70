//! The command line.

use super::link;
use crate::meeting::ClientOptions;
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time in seconds that an option takes.
const MAX_SECONDS: f64 = 31_536_000.0;
/// Frames per second unless told, for files that do not say.
pub const DEFAULT_FPS: f64 = 30.0;

/// What `--help` prints.
pub const HELP: &str = "\
jmeet: a Jitsi participant

  jmeet join URL                join and print what happens
  jmeet send URL FILE...        send files: Ogg Opus, IVF (VP8, VP9, AV1), H.264 Annex B
  jmeet record URL [FOLDER]     record everybody, without transcoding
  jmeet probe URL               find out whether a meeting works there, stage by stage

URL is the link that people share, https://host[/tenant]/Room, or the socket's, wss://host/xmpp-websocket, with --room.

Where:
  --room NAME            the room, instead of the link's last part
  --domain D --muc D --focus D   the XMPP domain (default: the host), rooms (conference.[tenant.]domain), focus (focus.domain)
  --focus-user JID       an address that is trusted as focus from the start
Who:
  --name NAME            what others see
  --token JWT            or JMEET_TOKEN in the environment, or ?jwt= in the link
  --user NAME            with the password in JMEET_PASSWORD or --password
  --room-password P      or JMEET_ROOM_PASSWORD
How:
  --timeout SECONDS      for joining, and for each stage of probe
  --for SECONDS          leave after so long
  --until-alone          leave when the last of the others has left
  --no-p2p, --no-bridge  media only through the bridge, or only straight to a peer
  --loopback             use addresses of this machine only it can reach
  --ca FILE              PEM certificates to trust beside the system's
  --insecure             accept any certificate
  --insecure-secrets     send tokens and passwords over unencrypted connections
Output:
  --json                 one JSON object per line on standard output
  --quiet                nothing for people on standard error
send:
  --loop                 begin again at the end, instead of leaving
  --screen               the video files after it show a screen
  --fps N                frame rate of H.264 files (default 30)
record:
  --audio-only           no video
  --height N             height of video that is asked for
probe:
  --no-media             it is enough to get into the room
Exit codes: 0 done, 1 trouble on this side, 2 usage, else the stage that failed: 10 dns, 11 tcp, 12 tls, 13 websocket, 14 stream,
15 auth, 16 bind, 17 focus, 18 muc, 19 jingle, 20 ice, 21 dtls, 22 media, 23 put out of the meeting.
SIGINT and SIGTERM leave properly; a second one ends at once.
";

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    Join,
    /// Files, each with whether it shows a screen.
    Send {
        files: Vec<(PathBuf, bool)>,
        again: bool,
        fps: f64,
    },
    Record {
        folder: Option<PathBuf>,
        audio_only: bool,
        height: u32,
    },
    Probe {
        media: bool,
    },
}

/// The command line, read.
pub struct Args {
    pub verb: Verb,
    pub options: ClientOptions,
    /// PEM file that was asked for.
    pub ca: Option<PathBuf>,
    pub json: bool,
    pub quiet: bool,
    pub stay: Option<Duration>,
    pub until_alone: bool,
}

/// What a command line asks for.
pub enum Asked {
    Run(Box<Args>),
    Help,
    Version,
}

#[derive(Default)]
struct Raw {
    words: Vec<(OsString, bool)>,
    screen: bool,
    room: Option<String>,
    domain: Option<String>,
    muc: Option<String>,
    again: bool,
    fps: Option<f64>,
    audio_only: bool,
    height: u32,
    no_media: bool,
}

/// Reads it; `environment` looks up a variable.
///
/// # Errors
/// For people.
pub fn read(
    args: impl Iterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Asked, String> {
    let mut p = Parser::from_args(args);
    let (mut raw, mut o) = (Raw { height: 0, ..Raw::default() }, ClientOptions::default());
    let (mut json, mut quiet, mut until_alone, mut stay, mut ca) = (false, false, false, None, None);
    let no = |e: lexopt::Error| e.to_string();
    while let Some(arg) = p.next().map_err(no)? {
        let Arg::Long(name) = arg else {
            match arg {
                Arg::Value(v) => raw.words.push((v, raw.screen)),
                Arg::Short('h') => return Ok(Asked::Help),
                Arg::Short('V') => return Ok(Asked::Version),
                other => return Err(no(other.unexpected())),
            }
            continue;
        };
        let name = name.to_owned();
        let mut text = || p.value().and_then(ValueExt::string).map_err(no);
        match &*name {
            "help" => return Ok(Asked::Help),
            "version" => return Ok(Asked::Version),
            "room" => raw.room = Some(text()?),
            "domain" => raw.domain = Some(text()?),
            "muc" => raw.muc = Some(text()?),
            "focus" => o.focus = text()?,
            "focus-user" => o.focus_users.push(text()?),
            "name" => o.display_name = text()?,
            "token" => o.token = text()?,
            "user" => o.username = text()?,
            "password" => o.password = text()?,
            "room-password" => o.room_password = text()?,
            "timeout" => o.join_timeout = seconds(&name, &text()?)?,
            "for" => stay = Some(seconds(&name, &text()?)?),
            "until-alone" => until_alone = true,
            "no-p2p" => o.disable_p2p = true,
            "no-bridge" => o.disable_bridge = true,
            "loopback" => o.allow_loopback = true,
            "ca" => ca = Some(PathBuf::from(p.value().map_err(no)?)),
            "insecure" => o.insecure_skip_tls_verification = true,
            "insecure-secrets" => o.insecure_allow_plaintext_secrets = true,
            "json" => json = true,
            "quiet" => quiet = true,
            "loop" => raw.again = true,
            "screen" => raw.screen = true,
            "fps" => raw.fps = Some(number(&name, &text()?, 1.0, 240.0)?),
            "audio-only" => raw.audio_only = true,
            "height" => raw.height = number(&name, &text()?, 1.0, 65_535.0)? as u32,
            "no-media" => raw.no_media = true,
            _ => return Err(format!("there is no option --{name}; see jmeet --help")),
        }
    }
    let mut words = raw.words.into_iter();
    let word = |w: Option<(OsString, bool)>, what: &str| {
        let (w, _) = w.ok_or(format!("{what}; see jmeet --help"))?;
        w.into_string().map_err(|_| "an argument is not UTF-8".to_owned())
    };
    let verb = word(words.next(), "what is to be done?")?;
    let url = word(words.next(), "where? The URL is missing")?;
    let verb = match &*verb {
        "join" => Verb::Join,
        "send" => {
            let files: Vec<_> = words.by_ref().map(|(f, screen)| (f.into(), screen)).collect();
            if files.is_empty() {
                return Err("send what? A file is missing".into());
            }
            Verb::Send { files, again: raw.again, fps: raw.fps.unwrap_or(DEFAULT_FPS) }
        }
        "record" => {
            let folder = words.next().map(|w| w.0.into());
            Verb::Record { folder, audio_only: raw.audio_only, height: raw.height }
        }
        "probe" => Verb::Probe { media: !raw.no_media },
        other => return Err(format!("{other} is none of join, send, record, probe")),
    };
    if let Some((left, _)) = words.next() {
        return Err(format!("what is {}?", left.to_string_lossy()));
    }
    let place = link::read(&url, raw.room.as_deref(), raw.domain.as_deref())?;
    (o.url, o.room, o.domain) = (place.url, place.room, place.domain);
    o.muc = raw.muc.unwrap_or(place.muc);
    for (secret, other, variable) in [
        (&mut o.token, place.token, "JMEET_TOKEN"),
        (&mut o.password, String::new(), "JMEET_PASSWORD"),
        (&mut o.room_password, String::new(), "JMEET_ROOM_PASSWORD"),
    ] {
        if secret.is_empty() {
            *secret = other;
        }
        if secret.is_empty() {
            *secret = environment(variable).unwrap_or_default();
        }
    }
    if o.username.is_empty() {
        // The environment may hold it for another meeting.
        o.password.clear();
    }
    Ok(Asked::Run(Box::new(Args { verb, options: o, ca, json, quiet, stay, until_alone })))
}

fn number(name: &str, text: &str, least: f64, most: f64) -> Result<f64, String> {
    let n: Option<f64> = text.parse().ok().filter(|n| (least..=most).contains(n));
    n.ok_or(format!("--{name} takes a number from {least} to {most}, not {text}"))
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    number(name, text, 0.001, MAX_SECONDS).map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Args, String> {
        let env = |name: &str| (name == "JMEET_PASSWORD").then(|| "from-env".to_owned());
        match read(line.split(' ').map(OsString::from), env)? {
            Asked::Run(a) => Ok(*a),
            Asked::Help | Asked::Version => Err("no run".into()),
        }
    }

    #[test]
    fn each_verb_takes_its_words() {
        assert_eq!(run("join https://h/r").unwrap().verb, Verb::Join);
        let send = run("send https://h/r a.ogg --screen b.ivf --loop --fps 25").unwrap().verb;
        assert_eq!(
            send,
            Verb::Send { files: vec![("a.ogg".into(), false), ("b.ivf".into(), true)], again: true, fps: 25.0 }
        );
        let record = run("record h/r out --height 360").unwrap().verb;
        assert_eq!(record, Verb::Record { folder: Some("out".into()), audio_only: false, height: 360 });
        assert_eq!(run("probe h/r --no-media").unwrap().verb, Verb::Probe { media: false });
    }

    #[test]
    fn the_link_gives_what_no_option_does() {
        let a = run("join https://h/T/R --domain meet.jitsi --focus focus.x --for 1.5 --token=t").unwrap();
        let o = &a.options;
        assert_eq!([&o.url, &o.room, &o.domain].map(String::as_str), ["wss://h/T/xmpp-websocket", "r", "meet.jitsi"]);
        assert_eq!([&o.muc, &o.focus, &o.token].map(String::as_str), ["conference.t.meet.jitsi", "focus.x", "t"]);
        assert_eq!((a.stay, o.check()), (Some(Duration::from_millis(1500)), Ok(())));
        assert_eq!(run("join https://h/r --muc muc.x").unwrap().options.muc, "muc.x");
    }

    #[test]
    fn secrets_may_come_from_the_environment_and_only_where_they_belong() {
        assert_eq!(run("join h/r").unwrap().options.password, "");
        assert_eq!(run("join h/r --user ann").unwrap().options.password, "from-env");
        assert_eq!(run("join h/r --user ann --password p").unwrap().options.password, "p");
        assert_eq!(run("join h/r?jwt=j").unwrap().options.token, "j");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, says) in [
            ("", "URL"),
            ("join", "URL"),
            ("dance https://h/r", "none of"),
            ("send https://h/r", "file"),
            ("join https://h/r more", "what is more"),
            ("join https://h/r --nope", "--nope"),
            ("join https://h/r --for never", "--for"),
            ("join https://h/r --timeout 31536001", "--timeout"),
            ("join https://h/r --name", "name"),
            ("join wss://h/x", "--room"),
        ] {
            let e = run(line).err().unwrap_or_default();
            assert!(e.contains(says), "{line}: {e}");
        }
        assert!(run(&format!("join https://h/r --for {MAX_SECONDS}")).is_ok());
        assert!(matches!(read(["-h".into()].into_iter(), |_| None), Ok(Asked::Help)));
    }
}
