// Another score or another mask on the same weights: before and after. Nothing is retrained.

import { Bars, card, el, field, formula, get, has, models, latest, number, Prompt, query, row, select, t, table, values, visible, put } from '../lib/page.js';
import { attention, headChoice } from '../lib/attention.js';

export async function mount(root) {
	const prompt = new Prompt(() => run());
	const [before, after] = [new Side('what-if.before'), new Side('what-if.after')];
	const [choices, rules, lab] = [row(), el('div'), el('div')];
	const heads = headChoice((layer, head) => set({ layer, head }));
	let options = null;
	let now = { score: '', mask: '', layer: 0, head: 0 };
	const set = (change) => { now = { ...now, ...change }; run(); };

	const run = latest(async () => {
		const { score, mask } = now;
		const [a, b] = await Promise.all([{}, { score, mask }].map((change) => prompt.inspect(choice.name, change)));
		now.layer = Math.min(now.layer, a.layers.length - 1);
		now.head = Math.min(now.head, a.heads - 1);
		heads.set(a, now.layer, now.head);
		await Promise.all([before.draw(a, now), after.draw(b, now)]);
		const rule = (what, name) => el('p', t(what), ' ', el('b.code', name), ': ', has(`${what}.${name}`) && t(`${what}.${name}`));
		put(rules, rule('score', score), formula(options.scores.find((s) => s.name === score).equation), rule('mask', mask.split(':')[0]));
		measured();
	});

	function measured() {
		const mask = now.mask === 'window:8' ? 'window' : now.mask; // the window of the experiment
		const arms = options.lab.filter((a) => a.arm === (a.experiment === 'score' ? now.score : mask));
		put(lab, card('what-if.lab', arms.length ? table('what-if.lab', ['what-if.arm', 'runs.measure', 'what-if.retrained', 'what-if.standard', 'what-if.seeds'].map((k) => t(k)), arms.map((a) => [a.arm, a.measure, number(a.mean), number(a.standard), a.seeds]))
			: el('p.hint', t('what-if.lab.none'))));
	}

	const load = latest(async () => {
		options = await get(`what-if?${query({ model: choice.name })}`);
		const own = (name, standard) => [name, name === standard ? t('what-if.own', { name }) : name];
		const scores = options.scores.filter((s) => !s.own || s.name === options.score).map((s) => own(s.name, options.score));
		now = { ...now, score: scores.some(([s]) => s === 'squared-dot') ? 'squared-dot' : options.score, mask: options.mask };
		put(choices, field('score', select(scores, now.score, (score) => set({ score }))), field('mask', select(options.masks.map((m) => own(m, options.mask)), now.mask, (mask) => set({ mask }))), heads.node);
		await run();
	});

	const choice = await models('gpt', load);
	root.append(row(choice.node, el('div.wide', field('gpt.your', prompt.node))), choices, el('p.note', el('strong', t('what-if.not')), ' ', t('what-if.not.about')), rules, el('div.sides', before.node, after.node), lab);
	await load();
}

class Side {
	constructor(key) {
		[this.picture, this.bars] = [el('div'), new Bars(t('next.title'))];
		this.node = card(key, this.picture, el('h3', t('next.title')), this.bars.node);
	}

	async draw(inspection, { layer, head }) {
		const look = inspection.attention.find((a) => a.layer === layer && a.head === head);
		const [{ data }, next] = await Promise.all([values(inspection.id, `${look.label}.weights`, { head }), get(`inspect/${inspection.id}/next?n=10`)]);
		put(this.picture, el('p.hint', `${inspection.config.score} · ${inspection.mask}`), attention(inspection, look, data).node);
		this.bars.names(next.candidates.map((c) => visible(c.token)));
		this.bars.update(next.candidates.map((c) => c.probability));
	}
}
