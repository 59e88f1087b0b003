// A translation: its beam tree, its cross-attention, and the sentence with the pizza.

import { button, card, el, field, hint, latest, models, number, numberField, post, Prompt, row, select, t, table, values, wanted, put } from '../lib/page.js';
import { attention, layerOf } from '../lib/attention.js';
import { tree } from './translation-tree.js';
import { question } from './translation-ask.js';

export async function mount(root) {
	const prompt = new Prompt(() => {});
	const beam = numberField(4, { min: 1, max: 16 });
	const [result, cross] = [el('div'), el('div')];
	const ask = question({ model: () => choice.name, sentence: () => prompt.text });

	const go = latest(async () => {
		const got = await post('translate', { model: choice.name, sentence: prompt.wanted, beam: wanted(beam, 'translation.beam', true) });
		prompt.suit(got.sentence);
		put(result, card('translation.result', el('p.lead', { id: 'translation' }, el('strong', got.translations[0]?.text || '–')),
			table('translation.result', [t('translation.title'), 'ln p', t('score')], got.translations.map((x) => [x.text || '–', number(x.log_probability), number(x.score)]))),
			card('tree.title', hint('tree.about'), tree(got.tree)));
		await look();
		await ask.load();
	});

	async function look() {
		const got = await prompt.inspect(choice.name);
		const heads = got.attention.filter((a) => a.kind === 'cross-attention');
		const picture = el('div');
		const draw = latest(async (i) => put(picture, attention(got, heads[i], (await values(got.id, `${heads[i].label}.weights`, { head: heads[i].head })).data).node));
		put(cross, card('cross.title', el('p', t('cross.about')), row(field('head', select(heads.map((h, i) => [String(i), t('head.n', { l: layerOf(h), h: h.head })]), '0', draw))), picture));
		await draw(0);
	}

	const choice = await models('translate', go);
	root.append(row(choice.node, el('div.wide', field('translation.sentence', prompt.node)), field('translation.beam', beam), button('translation.go', go, { class: 'main' })), result, cross, ask.node);
	await go();
}
