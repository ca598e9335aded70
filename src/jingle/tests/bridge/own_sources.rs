//! Our sources: what the focus is told, when, and what it would refuse.

use super::*;

fn source(name: &str, media: Media, encodings: Vec<(u32, Option<u32>)>) -> LocalSource {
    let video_type = (media == Media::Video).then_some(VideoType::Camera);
    LocalSource { name: format!("{OWN}-{name}"), media, video_type, encodings, msid: format!("{OWN}-{name}-1 t-1") }
}

/// The names and SSRCs of each request.
fn told(out: &[Output]) -> Vec<(String, Vec<u32>)> {
    let of = |p: &String| {
        let d = Document::parse(p).unwrap();
        let j = wire::Jingle::read(d.root()).unwrap();
        (j.action.as_str().to_owned(), j.sources.iter().map(|s| s.ssrc).collect())
    };
    payloads(out).iter().map(of).collect()
}

fn refused(out: &[Output]) -> Vec<(Vec<String>, SourceRefusal)> {
    let of = |o: &Output| match o {
        Output::Event(Event::SourcesRefused { names, why, .. }) => Some((names.clone(), why.clone())),
        _ => None,
    };
    out.iter().filter_map(of).collect()
}

#[test]
fn what_went_is_told_before_what_came_and_one_change_at_a_time() {
    let (mut g, _) = Guest::in_session();
    let set = |g: &mut Guest, s: &[LocalSource], ms| {
        g.side.j.set_local_sources(s.to_vec());
        g.side.drain(at(ms))
    };
    let base = sources(OWN, 101);
    assert!(set(&mut g, &base, 4).is_empty());
    // A screen comes; while that is unanswered, it goes and the camera gets other SSRCs.
    let mut more = base.clone();
    more.push(desktop(OWN, 150));
    let first = set(&mut g, &more, 5);
    assert_eq!(told(&first), [("source-add".to_owned(), vec![150, 151])]);
    let mut changed = base.clone();
    changed[1].encodings = vec![(160, Some(161)), (162, Some(163))];
    assert!(set(&mut g, &changed, 6).is_empty());
    let second = g.answer(&first, IqAnswer::Result, at(7));
    assert_eq!(
        told(&second),
        [("source-remove".to_owned(), vec![102, 103, 150, 151]), ("source-add".to_owned(), vec![160, 161, 162, 163])]
    );
    let p = payloads(&second);
    assert!(p[1].contains("<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='SIM'><source ssrc='160'/><source ssrc='162'/></ssrc-group>"), "{}", p[1]);
    assert!(p.iter().all(|p| p.contains("initiator='real@conference.meet.localhost/focus'")));
    // Back again while both are under way: nothing before both answers are there, in whatever order.
    assert!(set(&mut g, &base, 8).is_empty());
    let t = tokens(&second);
    g.side.j.on_iq_answer(t[1], IqAnswer::Result, at(9));
    assert!(g.side.drain(at(9)).is_empty());
    g.side.j.on_iq_answer(t[0], error(Condition::BadRequest), at(9));
    let third = g.side.drain(at(9));
    assert_eq!(told(&third).iter().map(|t| &*t.0).collect::<Vec<_>>(), ["source-remove", "source-add"]);
    // Mute, video type and msid are not the focus's business, and sources without encodings are none.
    let mut same = base.clone();
    same[1].video_type = Some(VideoType::Desktop);
    same[1].msid = "another".into();
    same.push(source("v5", Media::Video, Vec::new()));
    assert!(g.answer(&third, IqAnswer::Result, at(10)).is_empty());
    assert!(set(&mut g, &same, 11).is_empty());
}

#[test]
fn sources_set_before_the_accepts_result_follow_it() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    g.side.j.set_local_sources(Vec::new());
    let out = g.focus(&offer(), at(1));
    g.side.j.set_local_sources(sources(OWN, 101));
    assert!(g.side.drain(at(2)).is_empty());
    let out = g.side.answer_all(&out, at(3));
    assert_eq!(told(&out), [("source-add".to_owned(), vec![101, 102, 103])]);
    assert!(
        payloads(&out)[0].contains("<content name='audio'>") && payloads(&out)[0].contains("<content name='video'>")
    );
}

#[test]
fn a_refusal_names_the_sources_and_is_not_repeated() {
    for (answer, why) in [
        (
            error(Condition::ResourceConstraint),
            SourceRefusal::Refused { condition: "resource-constraint", text: String::new() },
        ),
        (IqAnswer::Timeout, SourceRefusal::NotAnswered),
    ] {
        let (mut g, _) = Guest::in_session();
        let mut more = sources(OWN, 101);
        more.push(desktop(OWN, 150));
        g.side.j.set_local_sources(more.clone());
        let out = g.side.drain(at(4));
        let out = g.answer(&out, answer, at(5));
        assert_eq!(refused(&out), [(vec![format!("{OWN}-v1")], why)]);
        g.side.j.set_local_sources(more.clone());
        assert!(g.side.drain(at(6)).is_empty());
        // It goes: nobody knew it. It comes back: it is tried.
        g.side.j.set_local_sources(sources(OWN, 101));
        assert!(g.side.drain(at(7)).is_empty());
        g.side.j.set_local_sources(more);
        assert_eq!(told(&g.side.drain(at(8))), [("source-add".to_owned(), vec![150, 151])]);
    }
}

#[test]
fn what_the_focus_would_refuse_is_refused_before_it_is_asked() {
    let try_one = |s: &[LocalSource]| {
        let (mut g, _) = Guest::in_session();
        g.side.j.set_local_sources(s.to_vec());
        let out = g.side.drain(at(4));
        let bad = refused(&out);
        // Once, and for as long as it is the same.
        g.side.j.set_local_sources(s.to_vec());
        assert!(refused(&g.side.drain(at(5))).is_empty());
        bad.into_iter().map(|(n, why)| (n[0].clone(), why)).collect::<Vec<_>>()
    };
    let many = |n: u32| source("v3", Media::Video, (0..n).map(|i| (1000 + i, None)).collect());
    let name = format!("{OWN}-v3");
    // SSRCs: at the limit and past it.
    let most = MAX_SSRCS_OF_OURS as u32;
    assert_eq!(try_one(&[many(most)]), []);
    assert_eq!(try_one(&[many(most + 1)]), [(name.clone(), SourceRefusal::TooManySsrcs)]);
    assert_eq!(
        try_one(&[source("a0", Media::Audio, vec![(1, None)]), many(most)]),
        [(name.clone(), SourceRefusal::TooManySsrcs)]
    );
    // Groups cannot reach their limit before the SSRCs do, but it is there: each group has two SSRCs or more.
    assert_eq!(MAX_GROUPS_OF_OURS, MAX_SSRCS_OF_OURS);
    // SSRCs that are none, used twice, or somebody else's.
    let v = |name: &str, e: Vec<(u32, Option<u32>)>| source(name, Media::Video, e);
    assert_eq!(try_one(&[v("v3", vec![(0, None)])]), [(name.clone(), SourceRefusal::BadSsrc(0))]);
    assert_eq!(try_one(&[v("v3", vec![(5, Some(5))])]), [(name.clone(), SourceRefusal::BadSsrc(5))]);
    assert_eq!(
        try_one(&[v("v0", vec![(5, None)]), v("v3", vec![(6, Some(5))])]),
        [(name.clone(), SourceRefusal::BadSsrc(5))]
    );
    let (g, key) = Guest::in_session();
    let theirs = g.side.j.remote_sources(key).unwrap().iter().next().unwrap().ssrcs[0];
    assert_eq!(try_one(&[v("v3", vec![(theirs, None)])]), [(name.clone(), SourceRefusal::BadSsrc(theirs))]);
    // msids: one is needed, and each source of a media type has its own; characters that are never sent do not count.
    let with = |name: &str, ssrc: u32, msid: &str| LocalSource { msid: msid.into(), ..v(name, vec![(ssrc, None)]) };
    assert_eq!(try_one(&[with("v3", 5, "{}")]), [(name.clone(), SourceRefusal::BadMsid)]);
    assert_eq!(try_one(&[with("v0", 5, "m t"), with("v3", 6, "m+ t")]), [(name.clone(), SourceRefusal::BadMsid)]);
    let audio = LocalSource { msid: "m t".into(), ..source("a0", Media::Audio, vec![(7, None)]) };
    assert_eq!(try_one(&[with("v0", 5, "m t"), audio]), []);
}

#[test]
fn many_sources_are_told_in_frames_of_their_size() {
    let (mut g, _) = Guest::in_session();
    let long = |i: u32| LocalSource {
        msid: format!("{OWN}-video-{i}-1 {}", "x".repeat(900)),
        ..source(&format!("v{i}"), Media::Video, vec![(2 * i + 1000, Some(2 * i + 1001))])
    };
    g.side.j.set_local_sources((0..6).map(long).collect());
    let out = g.side.drain(at(4));
    assert_eq!(actions(&out).iter().filter(|a| *a == "source-add").count(), 6);
    let short: Vec<_> = (0..6).map(|i| LocalSource { msid: format!("m{i}"), ..long(i) }).collect();
    let (mut g, _) = Guest::in_session();
    g.side.j.set_local_sources(short);
    let out = g.side.drain(at(4));
    let adds: Vec<_> = told(&out).into_iter().filter(|t| t.0 == "source-add").collect();
    assert_eq!(adds.len(), 1 + usize::from(payloads(&out)[1].len() > MAX_FRAME_BYTES - 200));
    assert_eq!(adds.iter().map(|a| a.1.len()).sum::<usize>(), 12);
    // Characters that break other clients are left out of what is sent.
    let (mut g, _) = Guest::in_session();
    g.side.j.set_local_sources(vec![LocalSource { msid: "a\\/{,}+b c".into(), ..long(1) }]);
    assert!(payloads(&g.side.drain(at(4))).iter().any(|p| p.contains("value='ab c'")));
}

#[test]
fn an_ssrc_that_somebody_else_had_is_tried_again_when_he_is_gone() {
    for leaves in [true, false] {
        let (mut g, _) = Guest::in_session();
        g.with(&["560b777f", "ghost"], at(4));
        g.focus(&request("source-add", &json("ghost", &[150, 900])), at(5));
        let mut more = sources(OWN, 101);
        more.push(desktop(OWN, 150));
        g.side.j.set_local_sources(more);
        let out = g.side.drain(at(6));
        assert_eq!(refused(&out), [(vec![format!("{OWN}-v1")], SourceRefusal::BadSsrc(150))]);
        // Something else of his goes: nothing is said again.
        assert_eq!(kinds(&g.focus(&request("source-remove", &json("ghost", &[900])), at(7))), ["removed", "ack"]);
        let out = if leaves {
            g.with(&["560b777f"], at(8))
        } else {
            g.focus(&request("source-remove", &json("ghost", &[150])), at(8))
        };
        assert_eq!(told(&out), [("source-add".to_owned(), vec![150, 151])]);
    }
}

#[test]
fn a_source_that_did_not_fit_is_told_when_there_is_room() {
    let (mut g, _) = Guest::in_session();
    let big = source("v0", Media::Video, (0..MAX_SSRCS_OF_OURS as u32 - 1).map(|i| (1000 + i, None)).collect());
    let second = source("v1", Media::Video, vec![(7, Some(8))]);
    g.side.j.set_local_sources(vec![big, second.clone()]);
    let out = g.side.drain(at(4));
    assert_eq!(refused(&out), [(vec![format!("{OWN}-v1")], SourceRefusal::TooManySsrcs)]);
    g.side.answer_all(&out, at(5));
    g.side.j.set_local_sources(vec![second]);
    let out = g.side.drain(at(6));
    assert!(told(&out).contains(&("source-add".to_owned(), vec![7, 8])));
    // What the focus knows as ours stays ours, whatever it says of others.
    g.side.answer_all(&out, at(7));
    g.focus(&request("source-add", &json("thief", &[7])), at(8));
    g.side.j.set_local_sources(vec![source("v1", Media::Video, vec![(7, Some(8))])]);
    assert!(g.side.drain(at(9)).is_empty());
}

#[test]
fn another_ssrc_of_a_source_is_a_remove_and_an_add_of_it_alone() {
    let (mut g, _) = Guest::in_session();
    let mut changed = sources(OWN, 101);
    changed[0].encodings = vec![(2003, None)];
    g.side.j.set_local_sources(changed);
    let out = g.side.drain(at(4));
    assert_eq!(told(&out), [("source-remove".to_owned(), vec![101]), ("source-add".to_owned(), vec![2003])]);
    assert!(payloads(&out).iter().all(|p| !p.contains("video")));
}
