//! Writes files as `torch.save` does: a zip archive with a pickle and one entry per storage.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// What a pickle can hold.
#[derive(Debug, Clone)]
pub enum Object {
    Int(i64),
    Float(f64),
    Flag(bool),
    Text(String),
    Dict(Vec<(Object, Object)>),
    /// An `OrderedDict` with the attribute `_metadata`, as `state_dict` returns it.
    StateDict(Vec<(Object, Object)>),
    Tensor(Tensor),
    /// A tensor that is a parameter.
    Parameter(Tensor),
    /// A pickled value as bytes.
    Raw(Vec<u8>),
}

/// A view of a storage.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// The name of the storage.
    pub key: String,
    /// The class of the storage: `FloatStorage`.
    pub class: &'static str,
    /// Elements in the storage.
    pub elements: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A dict with names.
pub fn dict<const N: usize>(items: [(&str, Object); N]) -> Object {
    Object::Dict(items.into_iter().map(|(key, value)| (Object::Text(key.into()), value)).collect())
}

/// The pickle of an object, in protocol 2.
pub fn pickle(object: &Object) -> Vec<u8> {
    let mut bytes = b"\x80\x02".to_vec();
    put(object, &mut bytes);
    bytes.push(b'.');
    bytes
}

fn put(object: &Object, out: &mut Vec<u8>) {
    match object {
        Object::Int(n) => out.extend([&b"\x8a\x08"[..], &n.to_le_bytes()].concat()),
        Object::Float(x) => out.extend([&b"G"[..], &x.to_be_bytes()].concat()),
        Object::Flag(flag) => out.push(if *flag { 0x88 } else { 0x89 }),
        Object::Text(text) => {
            out.extend([&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat());
        }
        Object::Dict(items) => {
            out.extend(b"}(");
            items
                .iter()
                .for_each(|(key, value)| [key, value].into_iter().for_each(|object| put(object, out)));
            out.push(b'u');
        }
        Object::StateDict(items) => {
            out.extend(b"ccollections\nOrderedDict\n)R(");
            items
                .iter()
                .for_each(|(key, value)| [key, value].into_iter().for_each(|object| put(object, out)));
            out.push(b'u');
            put(&dict([("_metadata", Object::Dict(Vec::new()))]), out);
            out.push(b'b');
        }
        Object::Tensor(tensor) => put_tensor(tensor, out),
        Object::Parameter(tensor) => {
            out.extend(b"ctorch._utils\n_rebuild_parameter\n(");
            put_tensor(tensor, out);
            out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
        }
        Object::Raw(bytes) => out.extend(bytes),
    }
}

fn put_tensor(tensor: &Tensor, out: &mut Vec<u8>) {
    let int = |n: usize, out: &mut Vec<u8>| put(&Object::Int(n as i64), out);
    let sizes = |sizes: &[usize], out: &mut Vec<u8>| {
        out.push(b'(');
        sizes.iter().for_each(|&n| int(n, out));
        out.push(b't');
    };
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    put(&Object::Text("storage".into()), out);
    out.extend(format!("ctorch\n{}\n", tensor.class).bytes());
    [&tensor.key, "cpu"].into_iter().for_each(|text| put(&Object::Text(text.into()), out));
    int(tensor.elements, out);
    out.extend(b"tQ");
    int(tensor.offset, out);
    sizes(&tensor.shape, out);
    sizes(&tensor.strides, out);
    out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

/// A zip archive of these entries.
pub fn zip(entries: &[(String, Vec<u8>)], deflate: bool) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let packed = match deflate {
            true => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).unwrap();
                encoder.finish().unwrap()
            }
            false => content.clone(),
        };
        let offset = out.len() as u32;
        // Version, flags, method, time, date, then the check sum and the lengths.
        let mut fields = vec![20, 0, 0, 0, if deflate { 8 } else { 0 }, 0, 0, 0, 0, 0];
        for number in [crc.sum(), packed.len() as u32, content.len() as u32] {
            fields.extend(number.to_le_bytes());
        }
        fields.extend((name.len() as u16).to_le_bytes());
        // The tensors in a file of torch.save are aligned by an extra field.
        let extra = [b"FB\x04\x00".as_slice(), &[0; 4]].concat();
        out.extend(
            [b"PK\x03\x04", &fields[..], &(extra.len() as u16).to_le_bytes(), name.as_bytes(), &extra]
                .concat(),
        );
        out.extend(packed);
        directory.extend(
            [b"PK\x01\x02\x14\x00", &fields[..], &[0; 12], &offset.to_le_bytes(), name.as_bytes()].concat(),
        );
    }
    let (start, length, count) = (out.len() as u32, directory.len() as u32, entries.len() as u16);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}
