//! Sources of others, in every order that they may come in.

use super::*;

#[test]
fn changes_wait_for_the_accepts_result_and_keep_their_order() {
    let mut g = Guest::new(REAL, OWN, &["560b777f", "x", "y"]);
    let out = g.focus(&offer(), at(1));
    for (action, owner, ssrc) in [
        ("source-add", "x", 1),
        ("source-add", "y", 2),
        ("source-remove", "x", 1),
        ("source-add", "x", 3),
        ("source-remove", "y", 2),
    ] {
        assert_eq!(kinds(&g.focus(&request(action, &json(owner, &[ssrc])), at(2))), ["ack"]);
    }
    let out = g.side.answer_all(&out, at(3));
    assert_eq!(kinds(&out), ["added", "added", "removed", "added", "removed"]);
    assert!(g.table().iter().any(|s| s == "x-v0 [3] []") && !g.table().iter().any(|s| s.starts_with("y-")));
    // After that they are done at once; an empty one, or one that is repeated, does nothing.
    assert_eq!(kinds(&g.focus(&request("source-add", &json("y", &[9])), at(4))), ["added", "ack"]);
    for inside in ["", "<json-message xmlns='http://jitsi.org/jitmeet'>{</json-message>", &json("y", &[9])] {
        assert_eq!(kinds(&g.focus(&request("source-add", inside), at(5))), ["ack"]);
    }
    assert_eq!(kinds(&g.focus(&request("source-remove", &json("z", &[9])), at(5))), ["ack"]);
    // A remove that overtook its add is forgotten: what comes after it counts.
    assert_eq!(kinds(&g.focus(&request("source-remove", &json("x", &[77])), at(6))), ["ack"]);
    assert_eq!(kinds(&g.focus(&request("source-add", &json("x", &[3, 77])), at(6))), ["added", "ack"]);
    // After the end nothing is known.
    g.focus(&request("session-terminate", "<reason><success/></reason>"), at(7));
    for action in ["source-add", "source-remove"] {
        assert!(reply(&g.focus(&request(action, &json("x", &[5])), at(8))).contains("<unknown-session"));
    }
}

#[test]
fn nothing_is_lost_when_more_comes_than_is_kept_waiting() {
    let mut g = Guest::new(REAL, OWN, &["560b777f", "x"]);
    let first = g.focus(&offer(), at(1));
    let ssrc = |i: usize| 10_000 + i as u32;
    let many = |from: usize| request("source-add", &json(&format!("e{from}"), &[ssrc(from)]));
    for i in 0..MAX_QUEUED_CHANGES {
        assert_eq!(kinds(&g.focus(&many(i), at(2))), ["ack"]);
    }
    let out = g.focus(&many(MAX_QUEUED_CHANGES), at(2));
    assert_eq!(out.len(), MAX_QUEUED_CHANGES + 2);
    assert_eq!(kinds(&g.focus(&many(MAX_QUEUED_CHANGES + 1), at(2))), ["ack"]);
    assert_eq!(kinds(&g.side.answer_all(&first, at(3))), ["added"]);
    let t = g.side.j.remote_sources(g.key()).unwrap();
    assert!((0..MAX_QUEUED_CHANGES + 2).all(|i| t.by_ssrc(ssrc(i)).is_some()));
}

#[test]
fn who_leaves_takes_his_sources_along_and_late_news_do_not_bring_them_back() {
    let (mut g, key) = Guest::in_session();
    g.with(&["560b777f", "x", "y"], at(4));
    g.focus(&request("source-add", &json("x", &[1, 2])), at(5));
    g.focus(&request("source-add", &json("y", &[3])), at(5));
    let out = g.with(&["560b777f", "y"], at(6));
    let [Output::SourcesRemoved { session, sources, because: Removal::OwnerLeft }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((*session, sources.len(), &*sources[0].owner), (key, 2, "x"));
    assert_eq!(kinds(&g.focus(&request("source-add", &json("x", &[1])), at(7))), ["ack"]);
    // Together with somebody who is there: his part is taken.
    let both = "<json-message xmlns='http://jitsi.org/jitmeet'>{\"sources\":{\"x\":[[{\"s\":1,\"n\":\"x-v0\"}]],\
                \"y\":[[{\"s\":3,\"n\":\"y-v0\"},{\"s\":4,\"n\":\"y-v0\"}],[[\"f\",3,4]]]}}</json-message>";
    assert_eq!(kinds(&g.focus(&request("source-add", both), at(7))), ["added", "ack"]);
    assert!(
        g.table().iter().any(|s| s == "y-v0 [3, 4] [(Fid, [3, 4])]") && !g.table().iter().any(|s| s.contains("x-"))
    );
    // Back again, he is heard; and a source may come before the presence of its owner.
    g.with(&["560b777f", "x", "y"], at(8));
    assert_eq!(kinds(&g.focus(&request("source-add", &json("x", &[1])), at(9))), ["added", "ack"]);
    assert_eq!(kinds(&g.focus(&request("source-add", &json("new", &[8])), at(9))), ["added", "ack"]);
    assert!(g.with(&["560b777f", "x", "y", "new"], at(10)).is_empty());
    // Nor does an offer bring back who is gone.
    assert_eq!(kinds(&g.with(&["560b777f", "y", "new"], at(11))), ["removed"]);
    let late = offer().replace(SID, "second").replace("</jingle>", &format!("{}</jingle>", json("x", &[1])));
    g.focus(&late, at(12));
    assert!(g.side.j.remote_sources(g.key()).unwrap().iter().all(|s| &*s.owner == "jvb"));
}

#[test]
fn so_many_leavers_are_remembered_and_no_more() {
    for (n, first_is_known) in [(MAX_LEFT_ENDPOINTS, true), (MAX_LEFT_ENDPOINTS + 1, false)] {
        let (mut g, _) = Guest::in_session();
        let names: Vec<String> = (0..n).map(|i| format!("p{i}")).collect();
        let names: Vec<&str> = std::iter::once("560b777f").chain(names.iter().map(|s| &**s)).collect();
        g.with(&names, at(4));
        g.with(&["560b777f"], at(5));
        let out = g.focus(&request("source-add", &json("p0", &[1])), at(6));
        assert_eq!(kinds(&out).contains(&"added"), !first_is_known);
        assert_eq!(kinds(&g.focus(&request("source-add", &json("p9", &[2])), at(6))), ["ack"]);
    }
}

/// Every order in which adds and removes of several participants, the accept's result, joins and leaves can interleave
/// leads to the focus's own table: the focus speaks of one endpoint in one order.
#[test]
fn no_interleaving_loses_a_source() {
    for seed in 0..100u64 {
        let mut env = Env::seeded(seed);
        let mut g = Guest::new(REAL, OWN, &["560b777f", "a", "b", "c", "d"]);
        let accept = g.focus(&offer(), at(1));
        let before = g.table();
        let mut truth: std::collections::BTreeMap<&str, std::collections::BTreeSet<u32>> = Default::default();
        let mut answered = false;
        let mut next = 1000;
        for step in 0..60 {
            if !answered && (step == 50 || env.below(30) == 0) {
                g.side.answer_all(&accept, at(2));
                answered = true;
            }
            let who = ["a", "b", "c", "d"][env.below(4) as usize];
            let has = truth.entry(who).or_default();
            if env.below(3) == 0 && !has.is_empty() {
                // A batch is a remove and then an add.
                let all: Vec<u32> = std::mem::take(has).into_iter().collect();
                g.focus(&request("source-remove", &named(who, &all)), at(3));
            }
            let new: Vec<u32> = (0..1 + env.below(3)).map(|i| next + i).collect();
            next += 10;
            has.extend(&new);
            g.focus(&request("source-add", &named(who, &new)), at(3));
        }
        if !answered {
            g.side.answer_all(&accept, at(4));
        }
        let mut wanted = before.clone();
        for (who, ssrcs) in &truth {
            wanted.extend(ssrcs.iter().map(|s| format!("{who}-v{s} [{s}] []")));
        }
        wanted.sort_unstable();
        assert_eq!(g.table(), wanted, "seed {seed}");
    }
}

#[test]
fn a_batch_is_one_change_whoever_owns_it_and_however_he_is_called() {
    let (mut g, _) = Guest::in_session();
    g.with(&["560b777f", "x", "y"], at(4));
    let all = |action: &str| {
        let owners = ["x", "real@conference.meet.localhost/y", "jvb"].iter().zip(["x", "y", "jvb"]).enumerate();
        let of = |(i, (owner, id)): (usize, (&&str, &str))| {
            let s = 100 * (i + 1);
            format!(
                "\"{owner}\":[[{{\"s\":{s},\"n\":\"{id}-v0\"}},{{\"s\":{},\"n\":\"{id}-v1\",\"v\":\"d\"}}],[],[{{\"s\":{},\"n\":\"{id}-a0\"}}]]",
                s + 1,
                s + 2
            )
        };
        let sources: Vec<String> = owners.map(of).collect();
        let json = format!(
            "<json-message xmlns='http://jitsi.org/jitmeet'>{{\"sources\":{{{}}}}}</json-message>",
            sources.join(",")
        );
        // The bridge's own names are known from the offer.
        request(action, &json.replace("jvb-v0", "jvb-v7").replace("jvb-a0", "jvb-a7"))
    };
    let out = g.focus(&all("source-add"), at(5));
    let Output::SourcesAdded { sources, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!((sources.len(), kinds(&out)), (9, vec!["added", "ack"]));
    let desktop = sources.iter().find(|s| &*s.name == "y-v1").unwrap();
    assert_eq!((&*desktop.owner, desktop.video_type), ("y", Some(VideoType::Desktop)));
    // Both videos of everybody go in one request.
    let out = g.focus(&all("source-remove"), at(6));
    let Output::SourcesRemoved { sources, because: Removal::Signalled, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!((sources.len(), kinds(&out)), (9, vec!["removed", "ack"]));
}

/// Sources that are named by their SSRC.
fn named(owner: &str, ssrcs: &[u32]) -> String {
    let sources: Vec<String> = ssrcs.iter().map(|s| format!("{{\"s\":{s},\"n\":\"{owner}-v{s}\"}}")).collect();
    format!(
        "<json-message xmlns='http://jitsi.org/jitmeet'>{{\"sources\":{{\"{owner}\":[[{}]]}}}}</json-message>",
        sources.join(",")
    )
}
