#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

/// `{'vocab_size': 3, 'itos': {0: 'a', 1: 'é'}, 'pair': (1.5, None), 'list': [True, -2, 70000]}` as Python's
/// `pickle.dumps` writes it in protocols 2, 4 and 5.
fn of_python() -> [Vec<u8>; 2] {
    let mut two =
        b"\x80\x02}q\x00(X\x0a\x00\x00\x00vocab_sizeq\x01K\x03X\x04\x00\x00\x00itosq\x02}q\x03(".to_vec();
    two.extend(b"K\x00X\x01\x00\x00\x00aq\x04K\x01X\x02\x00\x00\x00\xc3\xa9q\x05uX\x04\x00\x00\x00pairq\x06");
    two.extend(
        b"G?\xf8\x00\x00\x00\x00\x00\x00N\x86q\x07X\x04\x00\x00\x00listq\x08]q\x09(\x88J\xfe\xff\xff\xff",
    );
    two.extend(b"J\x70\x11\x01\x00eu.");
    let mut four =
        b"\x80\x04\x95\x5a\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x0avocab_size\x94K\x03\x8c\x04itos\x94}"
            .to_vec();
    four.extend(
        b"\x94(K\x00\x8c\x01a\x94K\x01\x8c\x02\xc3\xa9\x94u\x8c\x04pair\x94G?\xf8\x00\x00\x00\x00\x00\x00N",
    );
    four.extend(b"\x86\x94\x8c\x04list\x94]\x94(\x88J\xfe\xff\xff\xffJ\x70\x11\x01\x00eu.");
    [two, four]
}

#[test]
fn values_are_read() {
    let [two, four] = of_python();
    let mut five = four.clone();
    five[1] = 5;
    for bytes in [two, four, five] {
        let pickle = read(&bytes, &[]).unwrap();
        let get = |key| pickle.get(pickle.root(), key).unwrap();
        assert_eq!(pickle.size(get("vocab_size")), Some(3));
        let itos = pickle.dict(get("itos")).unwrap();
        let itos: Vec<_> = itos.iter().map(|&(k, v)| (pickle.size(k), pickle.text(v))).collect();
        assert_eq!(itos, [(Some(0), Some("a")), (Some(1), Some("é"))]);
        let pair = pickle.items(get("pair")).unwrap();
        assert_eq!((pickle.number(pair[0]), pickle.value(pair[1])), (Some(1.5), &Value::None));
        let list: Vec<_> = pickle.items(get("list")).unwrap().iter().map(|&id| pickle.value(id)).collect();
        assert_eq!(list, [&Value::Bool(true), &Value::Int(-2), &Value::Int(70_000)]);
        assert_eq!((pickle.get(pickle.root(), "none"), pickle.size(list_id(&pickle, 1))), (None, None));
    }
}

#[test]
fn a_string_that_is_not_utf_8_harms_only_where_it_is_needed() {
    // {'a': 1, 'b': 'caf\udce9'}, and the same with the bytes of Python 2.
    for string in [&b"X\x06\0\0\0caf\xed\xb3\xa9"[..], b"U\x04caf\xe9"] {
        let bytes = [&b"\x80\x02}(X\x01\0\0\0aK\x01X\x01\0\0\0b"[..], string, b"u."].concat();
        let pickle = read(&bytes, &[]).unwrap();
        let get = |key| pickle.get(pickle.root(), key).unwrap();
        assert_eq!((pickle.size(get("a")), pickle.text(get("b"))), (Some(1), None));
    }
}

/// The bound on the memory of the longest pickle counts on it.
#[test]
fn a_value_is_small() {
    assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
}

fn list_id(pickle: &Pickle, index: usize) -> ValueId {
    pickle.items(pickle.get(pickle.root(), "list").unwrap()).unwrap()[index]
}

#[test]
fn whole_numbers_of_any_length_are_read() {
    for (bytes, want) in [
        (&b""[..], Value::Int(0)),
        (b"\xff", Value::Int(-1)),
        (b"\xff\x00", Value::Int(255)),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", Value::Int(i64::MAX)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\x00", Value::LargeInt),
        (b"\x00\x00\x00\x00\x00\x00\x00\x80\xff", Value::Int(i64::MIN)),
        (b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", Value::LargeInt),
    ] {
        let pickle = [b"\x80\x02\x8a", &[bytes.len() as u8][..], bytes, b"."].concat();
        let pickle = read(&pickle, &[]).unwrap();
        assert_eq!(pickle.value(pickle.root()), &want, "{bytes:?}");
    }
}

#[test]
fn a_dict_in_order_is_a_dict_and_its_attributes_are_left_out() {
    // An OrderedDict with one key and an attribute, as PyTorch writes the parameters of a model.
    let bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00kK\x07s}X\x09\x00\x00\x00_metadataK\x01sb.";
    let pickle = read(bytes, &[]).unwrap();
    assert_eq!(pickle.size(pickle.get(pickle.root(), "k").unwrap()), Some(7));
    assert_eq!(pickle.dict(pickle.root()).unwrap().len(), 1);
}

#[test]
fn functions_are_refused_by_name_and_known_ones_are_recorded() {
    let refused = |bytes: &[u8]| {
        let pickle = read(bytes, &["m.f"]).unwrap();
        assert_eq!(pickle.needed(pickle.root(), "k"), pickle.check(pickle.root()).map(|()| None));
        pickle.check(pickle.root()).unwrap_err().to_string()
    };
    for (bytes, name) in [
        (&b"\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00ls /tR."[..], "posix.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "builtins.eval"),
        (b"\x80\x02(X\x02\x00\x00\x00lsios\nsystem\n.", "os.system"),
        (b"\x80\x02c__builtin__\nexec\nX\x01\x00\x00\x00x\x85R.", "__builtin__.exec"),
        (b"\x80\x02\x82\x01.", "an extension"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "an extension"),
        (b"\x80\x05\x97\x98.", "a buffer outside of the file"),
        (b"\x80\x02(cos\nsystem\nX\x02\x00\x00\x00lso.", "os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.", "os.system"),
        (b"\x80\x02cm\nf\n)}\x92.", "an object"),
        (b"\x80\x02ca\x1b\nf\n.", "a\\u{1b}.f"),
        (b"\x80\x02ccollections\nOrderedDict\n]\x85R.", "collections.OrderedDict with arguments"),
        (b"\x80\x02cm\nf\n)R}b.", "an object with attributes"),
    ] {
        let error = refused(bytes);
        assert!(error.contains(&format!("names {name}, and only")), "{error}");
        assert!(error.contains("nothing of it was executed"), "{error}");
    }
    let pickle = read(b"\x80\x02cm\nf\nK\x01K\x02\x86R.", &["m.f"]).unwrap();
    let Value::Call { function, arguments } = pickle.value(pickle.root()) else { panic!("no call") };
    assert_eq!((&**function, pickle.items(*arguments).unwrap().len()), ("m.f", 2));
}

/// `{'x': OBJECT, 'k': 7}`: what is unknown harms only where it is needed.
#[test]
fn unknown_values_are_only_names() {
    for object in [
        // numpy.float64(1.0), whose type and bytes are calls too.
        &b"cnumpy\nscalar\n(cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R(K\x03NtbC\x08\0\0\0\0\0\0\xf0?tR"
            [..],
        // The call of what a call made, as of a method.
        b"cbuiltins\ngetattr\nNN\x86R)R",
        // Objects with items, keys and attributes.
        b"ccollections\ndeque\n)R(K\x01K\x02eK\x03a",
        b"ccollections\nCounter\n}\x85R(K\x01K\x02uK\x03K\x04s}b",
        b"ca\nB\n)\x81}b",
        b"(ca\nB\nK\x01o",
        b"(K\x01ia\nB\n",
        b"ca\nB\n)}\x92",
        b"\x83\x01\x00",
        b"cm\nf\n)R}b",
    ] {
        let bytes = [&b"\x80\x02}(X\x01\x00\x00\x00x"[..], object, b"X\x01\x00\x00\x00kK\x07u."].concat();
        let pickle = read(&bytes, &["m.f"]).unwrap();
        let needed = |key| pickle.needed(pickle.root(), key);
        assert_eq!(pickle.size(needed("k").unwrap().unwrap()), Some(7));
        assert!(matches!(needed("x"), Err(PickleError::Unknown(_))), "{object:?}");
        assert!(pickle.check(pickle.root()).is_err());
    }
    // A name that is repeated takes no more room each time than a short one.
    let long = "x".repeat(10_000);
    let bytes = [&b"\x80\x02c"[..], long.as_bytes(), b"\n", long.as_bytes(), b"\n."].concat();
    let error = read(&bytes, &[]).and_then(|pickle| pickle.check(pickle.root())).unwrap_err().to_string();
    assert!(error.len() < 400, "{error}");
}

#[test]
fn damaged_pickles_are_refused() {
    for (bytes, why) in [
        (&b""[..], "protocol 2 to 5"),
        (b"\x80\x01N.", "protocol 2 to 5"),
        (b"\x80\x06N.", "protocol 2 to 5"),
        (b"I1\n.", "protocol 2 to 5"),
        (b"(dp0\n.", "save it again with protocol 2"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (b"\x80\x02(o.", "an object has no class"),
        (b"\x80\x02\x84\x01.", "cut off"),
        (b"\x80\x02", "cut off at byte 2"),
        (b"\x80\x02.", "its stack is empty"),
        (b"\x80\x02K", "cut off"),
        (b"\x80\x02X\xff\xff\xff\xffab.", "cut off"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", "cut off"),
        (b"\x80\x02N\x85\x86.", "stack is empty"),
        (b"\x80\x02u.", "mark is missing"),
        (b"\x80\x02}(Nu.", "a key has no value"),
        (b"\x80\x02NNa.", "not a list"),
        (b"\x80\x02NNNs.", "not a dict"),
        (b"\x80\x02h\x07.", "empty place of the memo"),
        (b"\x80\x02NNR.", "not a function"),
        (b"\x80\x02NN\x93.", "a name is not a string"),
        (b"\x80\x02\xfe.", "at byte 2: this opcode"),
        (b"\x80\x02(.", "its stack is empty"),
    ] {
        let error = read(bytes, &[]).unwrap_err().to_string();
        assert!(error.contains(why), "{bytes:?}: {error}");
    }
    let large = vec![b'N'; (1 << 24) + 1];
    assert!(read(&large, &[]).unwrap_err().to_string().contains("16777217 bytes"));
}

/// A list that contains itself, and a million lists in each other, end like any other pickle.
#[test]
fn depth_and_cycles_do_no_harm() {
    let cycle = read(b"\x80\x02]q\x00h\x00a.", &[]).unwrap();
    assert_eq!(cycle.items(cycle.root()), Some(&[cycle.root()][..]));
    assert_eq!(cycle.check(cycle.root()), Ok(()));
    let deep = [&b"\x80\x02"[..], &b"]".repeat(1 << 20), &b"a".repeat((1 << 20) - 1), b"."].concat();
    assert_eq!(read(&deep, &[]).map(|pickle| pickle.check(pickle.root())), Ok(Ok(())));
    assert_eq!(read(&deep, &[]).unwrap().items(read(&deep, &[]).unwrap().root()).unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(
            prop_oneof![prop::sample::select(&b"().0122JKMNQRTUXabcd}ehijl]opqrstu)GBC\x80\x81\x82\x85\x86\x87\x88\x8a\x8b\x8c\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\n"[..]), any::<u8>()],
            0..60,
        ),
    ) {
        let _ = read(&bytes, &[]);
        if let Ok(pickle) = read(&[b"\x80\x04", &bytes[..]].concat(), &["a.b"]) {
            let _ = pickle.check(pickle.root());
        }
    }

    #[test]
    fn changed_and_cut_pickles_do_not_panic(at in 0..200_usize, byte in any::<u8>(), cut in 0..200_usize, which in 0..2_usize) {
        let mut bytes = of_python()[which].clone();
        let n = bytes.len();
        bytes[at % n] = byte;
        let _ = read(&bytes, &[]);
        let _ = read(&bytes[..cut % n], &[]);
    }
}
