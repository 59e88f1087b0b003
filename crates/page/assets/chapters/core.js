// The training steps of two or three models as lanes. A function that several run is joined.

import { button, card, el, field, formula, get, hint, latest, modelsOf, named, percent, query, row, select, shape, show, t, table, put } from '../lib/page.js';
import { lines, sheet } from '../lib/source.js';

const MOST_CALLERS = 4;
const MOST_SHAPES = 6;
const UNITS = /about|images|target tokens/g; // of a batch
const isShared = (fn) => fn.runs.filter(Boolean).length > 1;

export async function mount(root) {
	const [lanes, summary] = [el('div.lanes'), el('p')];
	const about = await get('about');
	const kinds = ['digits', 'gpt', 'translate'].map((kind) => modelsOf(about, kind));
	const all = kinds.flat();
	const chosen = [kinds[0].at(-1)[0], kinds[1].at(-1)[0], ''];
	let now = null;

	const load = latest(async () => {
		const [a, b, c] = chosen;
		put(lanes, el('p.hint', t('loading')));
		now = joined(await get(`compare?${query({ a, b })}`), c && (await get(`compare?${query({ a, b: c })}`)));
		const spent = (i, what) => percent(Math.min(1, now.functions.filter(isShared).reduce((all, fn) => all + (fn.runs[i]?.[what] ?? 0), 0)));
		put(summary, el('strong', t('core.shared', { n: now.functions.filter(isShared).length, all: now.functions.length })), ' ',
			...now.models.map((m, i) => `${t('core.share', { name: m.name, flops: spent(i, 'flops_share'), time: spent(i, 'seconds_share') })} `));
		draw();
	});

	function draw() {
		const { models, functions } = now;
		const use = (fn, i) => (fn.runs[i] ? button([el('b', fn.name), el('span', fn.runs[i].calls > 1 ? `× ${fn.runs[i].calls}` : '')], () => open(fn), { class: `fn c${i}`, 'aria-label': `${fn.name} × ${fn.runs[i].calls}, ${models[i].name}` }) : el('span.none'));
		lanes.style.setProperty('--lanes', models.length);
		put(lanes, el('div.lane', models.map((m, i) => el(`div.c${i}`, el('b', m.name), el('div.hint', t('core.model', { n: m.parameters, batch: m.batch.replace(UNITS, (word) => named('unit', word)) })), m.notes.map((note) => el('div.hint', note))))),
			...[...new Set(functions.map((fn) => fn.stage))].map((stage) => {
				const own = functions.filter((fn) => fn.stage === stage);
				return [el('h3', named('stage', stage)), el('ul', own.map((fn) => el(isShared(fn) ? 'li.lane.joined' : 'li.lane', models.map((_, i) => use(fn, i)))))];
			}));
	}

	function open(fn) {
		const { place, name, equation, runs } = fn;
		const uses = runs.map((use, i) => ({ use, model: now.models[i].name })).filter((u) => u.use);
		show({ name, about: t(isShared(fn) ? 'core.joined' : 'core.own'), equation, place,
			rows: uses.map(({ use, model }) => [model, t('core.use', { n: use.calls, flops: percent(use.flops_share), time: percent(use.seconds_share) })]),
			extra: uses.map(({ use, model }) => table(`${t('shape')}, ${model}`, [model, '→'], use.shapes.slice(0, MOST_SHAPES).map((s) => [s.inputs, s.outputs].map((all) => all.map(shape).join(' '))), '.figures')) });
		const part = async (at, title, caller) => {
			const got = await get(`source?${query({ ...at, caller })}`);
			return el('div', el('h3.code', title, ` ${at.file}:${at.line} ${got.enclosing ?? ''}`), lines(got.lines, got.line, [at.line]));
		};
		return sheet(name, () => Promise.all([equation && formula(equation), place && part(place, ''), el('h2', t('core.callers')),
			...uses.flatMap(({ use, model }) => use.callers.slice(0, MOST_CALLERS).map((c) => part(c.place, el('b', `${model} × ${c.calls} ·`), 1)))]));
	}

	const pick = (i, options) => field(t('core.lane', { n: i + 1 }), select(options, chosen[i], (v) => { chosen[i] = v; load(); }));
	root.append(row(pick(0, all), pick(1, all), pick(2, [['', '–'], ...all])), summary, card('core.lanes', hint('core.click'), lanes));
	await load();
}

// The functions of all lanes in the order of the step; `runs` has an entry for each lane.
function joined(first, second) {
	if (!second) return first;
	const key = (fn) => `${fn.stage} ${fn.function} ${fn.name}`;
	const functions = first.functions.map((fn) => ({ ...fn, runs: [...fn.runs, null] }));
	let at = 0;
	for (const fn of second.functions.filter((f) => f.runs[1])) {
		const same = functions.findIndex((f) => key(f) === key(fn));
		if (same >= 0) functions[same].runs[2] = fn.runs[1];
		else functions.splice(at, 0, { ...fn, runs: [null, null, fn.runs[1]] });
		at = (same >= 0 ? same : at) + 1;
	}
	return { models: [...first.models, second.models[1]], functions };
}
