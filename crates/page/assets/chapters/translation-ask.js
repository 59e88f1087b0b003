// What a word looks at, and what decides its translation.

import { Bars, button, card, el, latest, percent, post, t, table, put } from '../lib/page.js';

const FIRST = /^sabía/;
const GROUPS = ['both', 'only_source', 'only_words'];

// A word without case and punctuation.
const bare = ({ textContent: word }) => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '').toLowerCase() || word;

export function question({ model, sentence }) {
	const [words, answer] = [el('div.chips', { role: 'group', 'aria-label': t('ask.title') }), el('div')];
	const node = card('ask.title', el('p', t('ask.about')), words, answer);
	let text = ''; // the sentence of the words

	const ask = latest(async (chip) => {
		for (const c of words.children) c.setAttribute('aria-pressed', String(c === chip));
		put(answer, el('p.hint', t('loading')));
		const before = [...words.children].slice(0, [...words.children].indexOf(chip)).filter((c) => bare(c) === bare(chip)).length;
		const got = await post('translate/ask', { model: model(), sentence: text, word: before ? `${bare(chip)}#${before + 1}` : chip.textContent }).catch((e) => { put(answer); throw e; });
		const bars = (title, { mean }) => {
			const b = new Bars(title, got.source_words);
			b.update(mean);
			return el('div', el('h3', title), b.node);
		};
		const cells = (test) => GROUPS.flatMap((g) => got.compared.map((w) => (test[g]?.[w] === undefined ? '–' : percent(test[g][w]))));
		put(answer, el('p', t('ask.translation'), ' ', el('strong', got.translation)),
			el('div.sides', bars(t('ask.encoder', { word: got.word.text }), got.encoder_attention), got.translated_by ? bars(t('ask.cross', { word: got.translated_by.text }), got.cross_attention) : ''),
			el('h3', t('ask.test')), el('p', t('ask.test.about', { words: got.compared.map((w) => t('ask.quoted', { w })).join(', ') })),
			table('ask.test', [t('ask.change'), t('translation.title'), ...GROUPS.flatMap((g) => got.compared.map((w) => `${t(`ask.${g}`)}: ${w}`))], got.tests.map((test) => [test.change?.replace(/^without/, t('ask.without')) ?? t('ask.nothing'), test.translation, ...cells(test)])),
			el('p.note', t('ask.moral')));
	});

	// The words of another sentence; the question about *sabía* is put at once.
	function load() {
		text = sentence();
		if ((node.hidden = model() === 'translate')) return undefined; // an untrained model has nothing to say
		const chips = text.split(/\s+/).filter(Boolean).map((word) => button([word], (e) => ask(e.currentTarget), { class: 'chip' }));
		put(words, chips);
		put(answer);
		const first = chips.find((c) => FIRST.test(c.textContent));
		return first && ask(first);
	}
	return { node, load };
}
