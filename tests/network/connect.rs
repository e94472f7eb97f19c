//! Which addresses are tried, in which order (RFC 8305), and what the message says if none answers.
//!
//! The resolver returns IPv6 addresses first. The next attempt starts when the previous one fails, otherwise after 250
//! ms.

use crate::client::{Answer, Program, gate};
use crate::namespaces::{Namespaces, PROHIBITED_6, WORKING_4, WORKING_6, dead_4, dead_6, port_of};
use dl_auth_gate::Gate;

/// A gate behind port 443 of the server, and the client.
struct Network {
    gate: Gate,
    program: Program,
    namespaces: Namespaces,
}

impl Network {
    fn new(name: &str) -> Network {
        let gate = gate();
        let ports = [(443, port_of(gate.url())), (3128, port_of(gate.proxy_url()))];
        let namespaces = Namespaces::new(name).forwards(&ports);
        Network { program: Program::compile(name), gate, namespaces }
    }

    /// Asks for a token from `gate.test`, which has these addresses.
    fn ask(&self, addresses: &[String], options: &[&str]) -> (Answer, Vec<(String, u16)>) {
        let url = ["url=https://gate.test/token?default"];
        self.namespaces.ask(&self.program, &self.gate, &[("gate.test", addresses)], &[&url, options].concat())
    }
}

/// Attempts to connect to these addresses, in this order.
fn attempts(addresses: &[&str], port: u16) -> Vec<(String, u16)> {
    addresses.iter().map(|address| ((*address).to_owned(), port)).collect()
}

fn owned(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|address| (*address).to_owned()).collect()
}

#[test]
fn if_the_first_address_answers_no_other_is_tried() {
    let network = Network::new("one");
    let (answer, tried) = network.ask(&owned(&[WORKING_6, WORKING_4]), &[]);
    assert!(answer.has_token(), "{answer:?}");
    assert_eq!(tried, attempts(&[WORKING_6], 443));
}

#[test]
fn if_the_ipv6_address_drops_packets_the_ipv4_address_is_tried() {
    let network = Network::new("dead6");
    let (answer, tried) = network.ask(&[dead_6(1), WORKING_4.to_owned()], &[]);
    assert!(answer.has_token(), "{answer:?}");
    assert_eq!(tried, attempts(&[&dead_6(1), WORKING_4], 443));
}

#[test]
fn addresses_of_both_families_are_tried_alternately_and_each_once() {
    let network = Network::new("many");
    let six = (1..=8).map(dead_6);
    let four = (1..=3).map(dead_4).chain([WORKING_4.to_owned()]);
    let addresses: Vec<String> = six.chain(four).collect();
    let (answer, tried) = network.ask(&addresses, &[]);
    assert!(answer.has_token(), "{answer:?}");
    let pairs = (1..=4).flat_map(|n| [dead_6(n), if n == 4 { WORKING_4.to_owned() } else { dead_4(n) }]);
    assert_eq!(tried, pairs.map(|address| (address, 443)).collect::<Vec<_>>());
    assert_eq!(network.gate.counts().logins, 1);
}

#[test]
fn if_a_firewall_prohibits_an_address_the_next_one_is_tried() {
    let network = Network::new("prohibit");
    let (answer, tried) = network.ask(&owned(&[PROHIBITED_6, WORKING_4]), &[]);
    assert!(answer.has_token(), "{answer:?}");
    assert_eq!(tried, attempts(&[PROHIBITED_6, WORKING_4], 443));
}

#[test]
fn if_all_addresses_drop_packets_the_message_says_did_not_connect() {
    let network = Network::new("dropped");
    // The time of the refresh ends during an attempt to connect, as with the default limits.
    for options in [&["connect_timeout=3s", "timeout=5s"][..], &["connect_timeout=3s", "max_attempts=1"]] {
        let (answer, tried) = network.ask(&[dead_6(1), dead_4(1)], options);
        answer.is_refused("DL_AUTH_E_TIMEOUT", 0, &["gate.test", "did not connect", "2 addresses"]);
        assert!(!answer.text.contains("did not answer"), "{answer:?}");
        assert_eq!(tried[..2], attempts(&[&dead_6(1), &dead_4(1)], 443));
    }
    assert_eq!(network.gate.counts().connections, 0);
}

#[test]
fn a_gate_without_a_route_is_unreachable() {
    let gate = gate();
    let namespaces = Namespaces::new("noroute").without_routes();
    let program = Program::compile("noroute");
    let options = ["url=https://gate.test", "max_attempts=1"];
    let hosts = [("gate.test", &owned(&[WORKING_6, WORKING_4])[..])];
    let (answer, tried) = namespaces.ask(&program, &gate, &hosts, &options);
    answer.is_refused("DL_AUTH_E_UNREACHABLE", 0, &["gate.test", "did not connect (2 addresses tried"]);
    assert_eq!(tried, [], "no packet is sent");
}

#[test]
fn the_addresses_of_a_proxy_are_tried_in_the_same_way() {
    let network = Network::new("proxy");
    let hosts = [("proxy.test", &[dead_6(1), WORKING_4.to_owned()][..])];
    let (answer, tried) =
        network.namespaces.ask(&network.program, &network.gate, &hosts, &["proxy=http://proxy.test:3128"]);
    assert!(answer.has_token(), "{answer:?}");
    assert_eq!(tried, attempts(&[&dead_6(1), WORKING_4], 3128));
    assert_eq!(network.gate.counts().proxied, 1);

    let hosts = [("proxy.test", &[dead_6(1), dead_4(1)][..])];
    let options = ["proxy=http://proxy.test:3128", "connect_timeout=3s", "max_attempts=1"];
    let (answer, tried) = network.namespaces.ask(&network.program, &network.gate, &hosts, &options);
    answer.is_refused("DL_AUTH_E_TIMEOUT", 0, &["proxy.test:3128", "did not connect"]);
    assert_eq!(tried, attempts(&[&dead_6(1), &dead_4(1)], 3128));
}
