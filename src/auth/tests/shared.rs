//! Tests of handles that share a store: each has its own list of refusals, as in separate processes. One gate answers
//! all of them.

use super::*;
use crate::refresh::Share;
use crate::refusals::Refusals;
use crate::store::memory::Memory;

/// A store, and a gate for all handles.
struct Fleet {
    clock: Arc<Fake>,
    gate: Arc<Gate>,
    memory: Memory,
}

const ONCE: [(&str, &str); 3] = [BOT[0], BOT[1], ("max_attempts", "1")];

impl Fleet {
    fn new(script: Vec<Answer>) -> Fleet {
        let bench = bench(script);
        let memory = Memory::new(Arc::new(bench.clock.clone()));
        Fleet { clock: bench.clock, gate: bench.gate, memory }
    }

    fn member(&self) -> Bench {
        self.member_with(&ONCE, false)
    }

    fn member_with(&self, options: &[(&str, &str)], required: bool) -> Bench {
        let line = Line(self.gate.clone(), self.clock.clone());
        let share = Some(Share { store: Box::new(self.memory.clone()), required });
        let refusals: &'static Refusals = Box::leak(Box::default());
        let parts = Parts { refusals, share, ..parts(self.clock.clone(), line, Inline) };
        let auth = Auth::with_parts(settings(options), parts);
        Bench { auth, gate: self.gate.clone(), clock: self.clock.clone() }
    }

    fn members(&self, number: usize) -> Vec<Bench> {
        (0..number).map(|_| self.member()).collect()
    }

    fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds));
    }

    fn seen(&self) -> Vec<String> {
        lock(&self.gate.seen).clone()
    }

    fn text(member: &Bench) -> String {
        member.auth.token(|token| token.jwt().text().to_owned()).unwrap()
    }
}

fn counts(member: &Bench) -> [u64; 5] {
    let info = member.auth.info();
    [info.logins, info.refreshes, info.failures, info.shared_hits, info.store_failures]
}

#[test]
fn one_member_logs_in_and_all_have_its_token() {
    let fleet = Fleet::new(vec![token(1000, None)]);
    let members = fleet.members(20);
    let texts: Vec<String> = members.iter().map(Fleet::text).collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
    assert_eq!(fleet.seen(), ["bot pass"]);
    assert_eq!(counts(&members[0]), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&members[19]), [0, 0, 0, 1, 0]);
}

#[test]
fn a_shared_token_lives_as_long_as_for_the_member_that_fetched_it() {
    let fleet = Fleet::new(vec![token(1000, None)]);
    let first = fleet.member();
    first.token().unwrap();
    fleet.pass(300);
    let second = fleet.member();
    second.token().unwrap();
    let expires = |member: &Bench| member.auth.info().expires_in_ms;
    assert_eq!(expires(&first), expires(&second));
    assert!((699_000..=700_000).contains(&expires(&first)), "{}", expires(&first));
    fleet.pass(698);
    assert_eq!(second.token(), Ok(1));
}

#[test]
fn a_rotating_refresh_token_is_used_once_by_the_whole_fleet() {
    let names = ["r1", "r2", "r3", "r4", "r5"];
    let fleet = Fleet::new(names.iter().map(|name| token(100, Some(*name))).collect());
    let members = fleet.members(7);
    for round in 0..5 {
        for at in 0..7 {
            members[(at + round) % 7].token().unwrap();
        }
        fleet.pass(100);
    }
    assert_eq!(fleet.seen(), ["bot pass", "r1", "r2", "r3", "r4"]);
}

#[test]
fn a_refresh_token_is_removed_from_the_record_before_it_is_sent() {
    // The second answer is a panic, as if the process were killed.
    let fleet = Fleet::new(vec![token(100, Some("r1")), Box::new(|_| panic!("killed")), token(100, Some("r2"))]);
    let members = fleet.members(2);
    members[0].token().unwrap();
    fleet.pass(100);
    assert_eq!(members[0].token(), Err(Status::Internal));
    assert_eq!(members[1].within(0, 0), Err(Status::Timeout), "the lock is held until it runs out");
    fleet.pass(40);
    assert_eq!(members[1].token(), Ok(1));
    assert_eq!(fleet.seen(), ["bot pass", "r1", "bot pass"]);
}

#[test]
fn a_refresh_token_that_was_not_sent_stays_in_the_record() {
    let fleet = Fleet::new(vec![token(100, Some("r1")), unreachable(false), token(100, None)]);
    let members = fleet.members(2);
    members[0].token().unwrap();
    fleet.pass(100);
    assert_eq!(members[0].token(), Err(Status::Unreachable));
    fleet.pass(2);
    assert_eq!(members[1].token(), Ok(1));
    assert_eq!(fleet.seen(), ["bot pass", "r1", "r1"]);
}

#[test]
fn a_failure_is_shared_and_the_gate_gets_the_requests_of_one_handle() {
    let requests = |members: usize| {
        let fleet = Fleet::new((0..200).map(|_| status(503, "")).collect());
        let members = fleet.members(members);
        for _ in 0..600 {
            for member in &members {
                assert_eq!(member.token(), Err(Status::Gate));
            }
            fleet.pass(1);
        }
        fleet.seen().len()
    };
    let (one, all) = (requests(1), requests(30));
    // 600 s with pauses of 15 to 30 s. Jitter is the only difference.
    assert!((15..=60).contains(&one) && (15..=60).contains(&all), "{one} {all}");
}

#[test]
fn after_a_failure_the_first_success_ends_the_pause_of_all() {
    let fleet = Fleet::new(vec![status(503, ""), token(100, None)]);
    let members = fleet.members(5);
    assert!(members.iter().all(|member| member.token() == Err(Status::Gate)));
    fleet.pass(2);
    assert!(members.iter().all(|member| member.token() == Ok(1)));
    assert_eq!(fleet.seen().len(), 2);
}

#[test]
fn a_wrong_password_is_sent_three_times_in_the_first_hour_by_the_whole_fleet() {
    let fleet = Fleet::new((0..50).map(|_| status(401, "{}")).collect());
    let members = fleet.members(10);
    for _ in 0..60 {
        for member in &members {
            assert_eq!(member.token(), Err(Status::Denied));
        }
        fleet.pass(60);
    }
    assert_eq!(fleet.seen().len(), 3);
    // A member that starts later does not try either.
    let late = fleet.member();
    let error = late.auth.token(|_| ()).unwrap_err();
    assert_eq!((error.status(), error.http_status(), fleet.seen().len()), (Status::Denied, Some(401), 3));
    assert!(error.retry_after().unwrap() > Duration::from_secs(60));
}

#[test]
fn new_credentials_have_a_separate_record_and_end_a_refusal() {
    let fleet = Fleet::new(vec![status(401, "{}"), token(100, None), token(100, None)]);
    let (old, new) = (fleet.member(), fleet.member());
    assert_eq!(old.token(), Err(Status::Denied));
    new.auth.set_credentials(None, "new").unwrap();
    assert_eq!(new.token(), Ok(1));
    assert_eq!(old.token(), Err(Status::Denied));
    old.auth.set_credentials(None, "new").unwrap();
    assert_eq!((old.token(), counts(&old)[3]), (Ok(1), 1));
    assert_eq!(fleet.seen(), ["bot pass", "bot new"]);
    assert_eq!(lock(&fleet.memory.state).records.len(), 2);
}

#[test]
fn a_rejected_token_is_not_taken_from_the_store() {
    let fleet = Fleet::new(vec![token(1000, None), token(1000, None)]);
    let (first, second) = (fleet.member(), fleet.member());
    let rejected = Fleet::text(&first);
    Fleet::text(&second);
    fleet.pass(30);
    assert_eq!(Fleet::text(&fleet.member()), rejected);
    fleet.pass(70);
    first.auth.invalidate(&rejected);
    let third = fleet.member();
    assert_ne!(Fleet::text(&third), rejected, "it does not take the rejected token");
    assert_eq!(fleet.seen().len(), 2);
    fleet.pass(100);
    second.auth.invalidate(&rejected);
    assert_eq!(Fleet::text(&second), Fleet::text(&third), "it takes the new token, which is not rejected");
    assert_eq!(fleet.seen().len(), 2);
}

#[test]
fn a_store_that_is_down_takes_no_token_away_and_is_counted() {
    let fleet = Fleet::new((0..3).map(|_| token(100, None)).collect());
    let members = fleet.members(2);
    lock(&fleet.memory.state).is_down = true;
    assert!(members.iter().all(|member| member.token() == Ok(1)));
    assert_eq!((fleet.seen().len(), counts(&members[1])), (2, [1, 0, 0, 0, 1]));
    assert_eq!(members[1].auth.info().store_fault.unwrap().message(), "the store is down");
    lock(&fleet.memory.state).is_down = false;
    fleet.pass(100);
    assert!(members.iter().all(|member| member.token() == Ok(2)));
    assert_eq!(fleet.seen().len(), 3, "it is shared again");
}

#[test]
fn a_required_store_that_is_down_is_an_error() {
    let fleet = Fleet::new(vec![token(100, None)]);
    let member = fleet.member_with(&ONCE, true);
    lock(&fleet.memory.state).is_down = true;
    assert_eq!(member.token(), Err(Status::Store));
    lock(&fleet.memory.state).is_down = false;
    fleet.pass(2);
    assert_eq!(member.token(), Ok(1));
    assert_eq!(counts(&member), [1, 0, 1, 0, 1]);
}

#[test]
fn a_record_that_is_damaged_or_of_another_account_is_replaced_and_one_of_another_version_is_left_alone() {
    let fleet = Fleet::new((0..300).map(|_| token(1000, None)).collect());
    fleet.member().token().unwrap();
    let (name, (sealed, end)) =
        lock(&fleet.memory.state).records.first_key_value().map(|(n, r)| (n.clone(), r.clone())).unwrap();
    let put = |sealed: Vec<u8>| drop(lock(&fleet.memory.state).records.insert(name.clone(), (sealed, end)));
    let mut damaged: Vec<Vec<u8>> = (0..sealed.len()).step_by(7).map(|length| sealed[..length].to_vec()).collect();
    damaged.extend((1..sealed.len()).step_by(7).map(|at| {
        let mut sealed = sealed.clone();
        sealed[at] ^= 1;
        sealed
    }));
    for record in damaged {
        let before = fleet.seen().len();
        put(record.clone());
        let member = fleet.member();
        assert_eq!((member.token(), counts(&member)), (Ok(1), [1, 0, 0, 0, 0]));
        assert_eq!(fleet.seen().len(), before + 1);
        assert_ne!(lock(&fleet.memory.state).records[&name].0, record, "it is replaced");
    }
    let mut other = sealed.clone();
    other[0] = 2;
    put(other.clone());
    let member = fleet.member();
    assert_eq!((member.token(), counts(&member)), (Ok(1), [1, 0, 0, 0, 1]));
    assert_eq!(lock(&fleet.memory.state).records[&name].0, other, "it is left alone");
}

#[test]
fn the_minimum_interval_holds_for_all_members() {
    // Each token expires after two seconds.
    let fleet = Fleet::new((0..100).map(|_| token(2, None)).collect());
    for _ in 0..30 {
        assert_eq!(fleet.member().token(), Ok(1));
        fleet.pass(1);
    }
    assert!(fleet.seen().len() <= 16, "{}", fleet.seen().len());
}

#[test]
fn the_minimum_interval_holds_for_all_members_after_a_rejection() {
    let fleet = Fleet::new((0..50).map(|_| token(1000, None)).collect());
    for _ in 0..120 {
        let member = fleet.member();
        if let Ok(text) = member.auth.token(|token| token.jwt().text().to_owned()) {
            member.auth.invalidate(&text);
        }
        fleet.pass(1);
    }
    assert!((2..=3).contains(&fleet.seen().len()), "{:?}", fleet.seen());
}

#[test]
fn many_rejections_of_one_token_use_the_store_once() {
    let fleet = Fleet::new(vec![token(1000, None)]);
    let member = fleet.member();
    let text = Fleet::text(&member);
    let before = lock(&fleet.memory.state).taken;
    (0..50).for_each(|_| member.auth.invalidate(&text));
    assert_eq!(lock(&fleet.memory.state).taken, before + 1);
}

#[test]
fn a_call_that_needs_more_than_the_shared_token_has_left_gets_a_new_one() {
    let fleet = Fleet::new(vec![token(1000, None), token(1000, None)]);
    fleet.member().token().unwrap();
    fleet.pass(600);
    assert_eq!(fleet.member().within(700, 30), Ok(2));
}

/// A day of a fleet: members start, read, reject tokens and end; the store fails over.
#[test]
fn in_a_simulated_day_the_logins_are_those_that_are_due_and_one_more_for_each_fail_over() {
    for seed in 0..crate::secret::property::cases(30) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let life = rng.i64(600..7200);
        let fleet = Fleet::new((0..1000).map(|_| token(life, None)).collect());
        let mut members = fleet.members(20);
        let (mut fail_overs, mut rejections) = (0, 0);
        for _ in 0..24 * 60 {
            fleet.pass(60);
            for member in &members {
                member.token().unwrap();
            }
            match rng.u32(..1000) {
                0..=3 => {
                    fail_overs += 1; // the new server is empty
                    *lock(&fleet.memory.state) = Default::default();
                }
                4..=20 => {
                    let at = rng.usize(..members.len());
                    members[at] = fleet.member(); // a process starts again
                }
                21..=23 => {
                    rejections += 1;
                    let at = rng.usize(..members.len());
                    let text = Fleet::text(&members[at]);
                    members[at].auth.invalidate(&text);
                }
                _ => {}
            }
        }
        // The first member is due after at least 0.75 of a token's life.
        let due = (86_400.0 / (life as f64 * 0.75)).ceil() as usize;
        let (logins, most) = (fleet.seen().len(), 1 + due + fail_overs + 2 * rejections);
        assert!(logins <= most, "seed {seed}: {logins} logins, at most {most}");
        assert!(logins as f64 >= 86_400.0 / life as f64, "seed {seed}: {logins} logins are too few");
        assert!(members.iter().all(|member| counts(member)[4] == 0));
    }
}
