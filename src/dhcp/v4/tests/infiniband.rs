//! What a client on InfiniBand says (RFC 4390): golden bytes, because no card is
//! at hand that could say more.

use super::*;

const CLIENT_ID: [u8; 9] = [0xff, 0, 0, 0, 7, 0, 3, 0, 32];

fn on_infiniband() -> Machine {
    let config = Config {
        hardware: Hardware::Infiniband,
        client_id: CLIENT_ID.to_vec(),
        host_name: None,
        broadcast: true,
        ..config()
    };
    Machine::new(config, None, 7)
}

/// The fixed fields up to the server's name, without the transaction and its
/// seconds, and the codes of the options.
fn said(message: &Message) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = message.write();
    bytes[4..10].fill(0);
    let codes = message.options.iter().map(|(code, _)| code).collect();
    bytes.truncate(44);
    (bytes, codes)
}

/// The fixed fields: `BOOTREQUEST`, htype 32, hlen 0, `flags`, `ciaddr`, and an
/// empty `chaddr` of 16 bytes.
fn fixed(flags: [u8; 2], ciaddr: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![1, 32, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(flags);
    bytes.extend(ciaddr);
    bytes.resize(44, 0);
    bytes
}

const BROADCAST: [u8; 2] = [0x80, 0];

#[test]
fn every_message_on_infiniband_has_an_identifier_and_no_hardware_address() {
    let of_infiniband = |m: &mut Message| m.hardware = Some(Hardware::Infiniband);
    let mut machine = on_infiniband();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let nobody = [0; 4];
    assert_eq!(
        said(&discover),
        (fixed(BROADCAST, nobody), vec![53, 55, 57, 61])
    );
    let offer = reply(&discover, MessageType::Offer, of_infiniband);
    let request = sent(&receive(&mut machine, &offer, secs(0)));
    let codes = vec![50, 53, 54, 55, 57, 61];
    assert_eq!(said(&request), (fixed(BROADCAST, nobody), codes));
    let ack = reply(&request, MessageType::Ack, of_infiniband);
    let actions = receive(&mut machine, &ack, secs(0));
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));

    // Its address can be reached by now.
    let own = HOST.octets();
    let (due, actions) = wait(&mut machine);
    let renew = sent(&actions);
    assert_eq!(said(&renew), (fixed([0, 0], own), vec![53, 55, 57, 61]));
    let mac = "02:00:00:00:00:99".parse().unwrap();
    let decline = sent(&machine.clone().on(&Event::Conflict { mac }, due));
    assert_eq!(
        said(&decline),
        (fixed([0, 0], nobody), vec![50, 53, 54, 61])
    );
    let release = sent(&machine.on(&Event::Release, due));
    assert_eq!(said(&release), (fixed([0, 0], own), vec![53, 54, 61]));
    for message in [discover, request, renew, decline, release] {
        assert_eq!(message.options.get(code::CLIENT_ID), Some(&CLIENT_ID[..]));
    }
}

#[test]
fn an_answer_to_ethernet_is_none_for_infiniband() {
    let mut machine = on_infiniband();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let offer = reply(&discover, MessageType::Offer, |_| {});
    assert!(receive(&mut machine, &offer, secs(0)).is_empty());
}
