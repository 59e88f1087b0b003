// Lets the model write: one token at a time into the text above, or a longer piece.

import { ApiError, ask, attempt, button, card, el, events, field, hint, number, numberField, row, t, wanted, put } from '../lib/page.js';

const BYTES = 4; // of the longest character

export function writer({ model, prompt, read, settings, ended }) {
	const [out, facts] = [el('p.written.code', { id: 'written' }), el('p.hint')];
	const seed = numberField(1);
	const length = numberField(100, { min: 1, max: 2000 });
	let control = null;

	async function generate(tokens, heard) {
		control?.abort();
		const { signal } = (control = new AbortController());
		stop.disabled = false;
		await attempt(async () => {
			const body = { model: model(), prompt: prompt.text, tokens: tokens ?? wanted(length, 'write.length', true), seed: wanted(seed, 'seed', true), ...settings() };
			await events(await ask('generate', { body, signal }), (name, data) => {
				if (signal.aborted) return;
				if (name === 'failed') throw new ApiError(data.error);
				heard(name, data);
			});
		});
		if (control.signal === signal) stop.disabled = true; // unless a newer text is being written
	}

	// One token, or as many as its character has.
	const one = async () => {
		let text = null;
		await generate(BYTES, (name, data) => {
			text = data.text;
			if (text) control.abort();
		});
		if (text === null) return;
		prompt.type(prompt.text + text.replaceAll('\uFFFD', ''));
		seed.value = Number(seed.value) + 1;
		read();
	};
	const many = async () => {
		put(out, el('span.hint', prompt.text));
		put(facts);
		await generate(null, (name, data) => {
			if (name === 'token') out.append(data.text);
			else if (name === 'done') facts.textContent = t('write.done', { n: data.ids.length, ms: number(1000 * data.seconds, 3), seed: data.seed });
		});
	};
	const stop = button('stop', () => control?.abort(), { disabled: true });
	ended(() => control?.abort());
	return card('write.title', hint('write.about'), row(button('write.one', one), button('write.many', many, { class: 'main' }), stop, field('write.length', length), field('seed', seed)), out, facts);
}
