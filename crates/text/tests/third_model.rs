//! A third kind of model needs only the core and the text crate: an encoder-decoder Transformer
//! learns to copy words. Session, block, cross-attention and tokenizer are those of the GPT.
#![allow(clippy::unwrap_used)]

use m2g_core::nn::{Block, BlockSettings, Context, Embedding, Linear, Memory, PositionEmbedding};
use m2g_core::optim::{AdamW, Optimizer};
use m2g_core::ranks::Ranks;
use m2g_core::rng::{ChaCha8Rng, Streams, below};
use m2g_core::train::{
    Evaluation, Model, Options, Save, Session, SessionCode, SessionModel, Task, Trainable, run_folder::BEST,
};
use m2g_core::{Error, Mask, Params, Tape, Tokens, Var};
use m2g_text::Tokenizer;
use m2g_text::tokenizer::SpecialToken::{Beginning, Padding};

/// Source, target and output share one table of embeddings.
struct Copier {
    params: Params<f32>,
    embedding: Embedding,
    encoder: Block,
    decoder: Block,
}

/// `(B, T)` each; the target is the source, and the input is the target one token later.
struct Batch {
    source: Tokens,
    input: Tokens,
    lengths: Vec<usize>,
}

impl Copier {
    fn embed(&self, tape: &mut Tape<f32>, tokens: &Tokens) -> Result<Var, Error> {
        let x = self.embedding.forward(tape, &self.params, tokens)?; // (B, T) -> (B, T, C)
        PositionEmbedding::Sinusoidal { base: 1e4 }.add_to(tape, &self.params, x, 0)
    }

    /// The logits of the target tokens, `(B, T, V)`.
    fn forward(&self, tape: &mut Tape<f32>, batch: &Batch) -> Result<Var, Error> {
        let padding = Mask::Padding(batch.lengths.clone().into());
        let x = self.embed(tape, &batch.source)?;
        let memory = self.encoder.forward(tape, &self.params, x, &padding, Context::default())?;
        let y = self.embed(tape, &batch.input)?;
        let context = Context { memory: Some(Memory::Sequence(memory, &padding)), ..Context::default() };
        let y = self.decoder.forward(tape, &self.params, y, &Mask::Causal, context)?;
        Linear { weight: self.embedding.weight, bias: None }.forward(tape, &self.params, y)
    }
}

impl Model<f32> for Copier {
    type Batch = Batch;
    fn params(&self) -> &Params<f32> {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params<f32> {
        &mut self.params
    }
    fn loss(&self, tape: &mut Tape<f32>, batch: &Batch) -> Result<Var, Error> {
        let logits = self.forward(tape, batch)?;
        tape.cross_entropy(logits, &batch.source)
    }
}

/// Random words of up to six letters, different ones in every step.
struct Words<'a>(&'a Tokenizer, Vec<Batch>);

impl Words<'_> {
    fn batch(&self, mut rng: ChaCha8Rng) -> Batch {
        let [beginning, padding] = [Beginning, Padding].map(|token| self.0.special_id(token).unwrap());
        let (mut source, mut input, mut lengths) = (vec![], vec![], vec![]);
        for _ in 0..16 {
            let letters = 1 + below(&mut rng, 6);
            let mut word: Vec<u32> = (0..letters).map(|_| below(&mut rng, beginning.min(padding))).collect();
            lengths.push(word.len());
            word.resize(6 + 1, padding);
            input.extend([&[beginning], &word[..word.len() - 1]].concat());
            source.extend(word);
        }
        let tokens = |ids: Vec<u32>| Tokens::new([16, ids.len() / 16], ids).unwrap();
        Batch { source: tokens(source), input: tokens(input), lengths }
    }
}

impl Task<f32, Copier> for Words<'_> {
    fn batches(&mut self, step: u64, _: usize) -> Result<&[Batch], Error> {
        self.1 = vec![self.batch(Streams::new(1).stream("batch", step))];
        Ok(&self.1)
    }
    fn evaluate(
        &mut self,
        _: u64,
        model: &Copier,
        tape: &mut Tape<f32>,
        _: &mut Ranks,
    ) -> Result<Evaluation, Error> {
        let loss = model.loss(tape, &self.batch(Streams::new(1).stream("validation", 0)))?;
        let loss = f64::from(tape.read_loss(loss));
        Ok(Evaluation { score: Some(-loss), metrics: vec![("loss", loss)] })
    }
}

impl SessionModel for Copier {
    fn code() -> &'static SessionCode<Self> {
        static CODE: SessionCode<Copier> = SessionCode::new();
        &CODE
    }
}

impl Trainable for Copier {
    const KIND: &'static str = "copier";
    type Config = Tokenizer;
    type Description = Tokenizer;
    type Data = ();
    fn validate(_: &Tokenizer) -> Result<(), Error> {
        Ok(())
    }
    fn describe(tokenizer: Tokenizer, _: &(), _: Option<&Tokenizer>) -> Result<Tokenizer, Error> {
        Ok(tokenizer)
    }
    fn config(tokenizer: &Tokenizer) -> &Tokenizer {
        tokenizer
    }
    fn trained_on(_: &Tokenizer) -> &str {
        "words"
    }
    fn fingerprint(_: &()) -> &str {
        "words"
    }
    fn init(tokenizer: &Tokenizer, _: Option<&Self>) -> Result<Self, Error> {
        let (mut params, mut rng) = (Params::new(), Streams::new(1).stream("init", 0));
        let (v, encoder) = (tokenizer.vocab_size(), BlockSettings::new(32, 4));
        let decoder = BlockSettings { cross_attention: true, ..encoder };
        Ok(Self {
            embedding: Embedding::new(&mut params, "embedding", (v, 32), 32_f64.powf(-0.5), &mut rng)?,
            encoder: Block::new(&mut params, "encoder", &encoder, &mut rng)?,
            decoder: Block::new(&mut params, "decoder", &decoder, &mut rng)?,
            params,
        })
    }
    fn options(_: &Tokenizer, _: &()) -> Options {
        Options { steps: 1500, steps_per_evaluation: 500, lr: 3e-3, ..Options::default() }
    }
    fn optimizer(_: &Tokenizer, _: &()) -> Box<dyn Optimizer<f32>> {
        Box::new(AdamW::new(0.0))
    }
    fn task<'a>(tokenizer: &'a Tokenizer, _: &'a ()) -> Result<impl Task<f32, Self> + 'a, Error> {
        Ok(Words(tokenizer, Vec::new()))
    }
}

#[test]
fn an_encoder_decoder_learns_to_copy() {
    let tokenizer = Tokenizer::char("abcdefgh").with_special_tokens(&[Beginning, Padding]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("copier");
    Session::<Copier>::new(tokenizer, &(), Save::New(&run)).unwrap().run(&mut ()).unwrap();
    // What was saved copies words that it has never seen.
    let (model, tokenizer) = Session::<Copier>::load(&run, BEST).unwrap();
    let batch = Words(&tokenizer, vec![]).batch(Streams::new(2).stream("test", 0));
    let mut tape = Tape::new();
    let logits = model.forward(&mut tape, &batch).unwrap();
    let rows = tape.value(logits).data().chunks(tokenizer.vocab_size());
    let correct = rows
        .zip(batch.source.ids.iter())
        .filter(|(logits, id)| logits.iter().all(|&logit| logit <= logits[**id as usize]));
    let (correct, all) = (correct.count(), batch.source.ids.len());
    assert!(correct * 100 >= all * 98, "{correct} of {all}");
}
