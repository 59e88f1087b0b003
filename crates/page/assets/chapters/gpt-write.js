// Lets the model write: one token at a time into the text above, or a longer piece.

import { ask, attempt, button, card, el, events, field, hint, number, numberField, row, t, put } from '../lib/page.js';

export function writer({ model, prompt, read, settings, ended }) {
	const [out, facts] = [el('p.written.code', { id: 'written' }), el('p.hint')];
	const seed = numberField(1);
	const length = numberField(100, { min: 1, max: 2000 });
	let control = null;

	async function generate(tokens, heard) {
		control?.abort();
		control = new AbortController();
		const body = { model: model(), prompt: prompt.text, tokens, seed: Number(seed.value), ...settings() };
		await attempt(async () => events(await ask('generate', { body, signal: control.signal }), (name, data) => {
			if (name === 'failed') throw new Error(data.error);
			heard(name, data);
		}));
	}

	const one = async () => {
		await generate(1, (name, data) => { if (name === 'token') prompt.type(prompt.text + data.text); });
		seed.value = Number(seed.value) + 1;
		read();
	};
	const many = async () => {
		put(out, el('span.hint', prompt.text));
		stop.disabled = false;
		await generate(Number(length.value), (name, data) => {
			if (name === 'token') out.append(data.text);
			else if (name === 'done') facts.textContent = t('write.done', { n: data.ids.length, ms: number(1000 * data.seconds, 3), seed: data.seed });
		});
		stop.disabled = true;
	};
	const stop = button('stop', () => control?.abort(), { disabled: true });
	ended(() => control?.abort());
	return card('write.title', hint('write.about'), row(button('write.one', one), button('write.many', many, { class: 'main' }), stop, field('write.length', length), field('seed', seed)), out, facts);
}
