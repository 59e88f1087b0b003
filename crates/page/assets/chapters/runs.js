// All runs, live: a table, their curves, the settings that differ.

import { attempt, button, card, Chart, el, field, get, latest, named, number, row, scroll, select, stream, t, table, times, put } from '../lib/page.js';

const AT_FIRST = 3;
const POINTS = 500;
const MEASURES = ['val_loss', 'validation_accuracy', 'train_loss', 'loss', 'val_bleu', 'lr', 'grad_norm'];
const plain = (value) => String(value ?? '–');

export async function mount(root, ended) {
	const [rows, curves, chosen] = [new Map(), new Map(), new Set()];
	let [metric, offered, compared] = ['', '', ''];
	const body = el('tbody');
	const filter = el('input', { type: 'search', 'aria-label': t('runs.filter'), placeholder: t('runs.filter'), oninput: () => sift() });
	const chart = new Chart(t('runs.curves'), t('step'), '');
	const [measure, settings, total, empty] = [el('div'), el('div'), el('p.hint'), el('p.note', t('runs.none'))];

	// The row of a run, made once and then changed in place.
	function see(run) {
		const { name } = run;
		if (!rows.has(name)) {
			const box = el('input', { type: 'checkbox', 'aria-label': t('runs.show', { name }), onchange: () => { chosen[box.checked ? 'add' : 'delete'](name); compare(); } });
			const [state, cells] = [el('span'), times(5, () => el('td'))];
			rows.set(name, { box, state, cells, tr: el('tr', el('td', box), el('th', { scope: 'row' }, name, state), cells) });
		}
		const own = Object.assign(rows.get(name), { run });
		own.state.textContent = run.training ? ` · ${t('state.running')}` : run.wrong ? ` · ${run.wrong}` : '';
		const texts = [run.kind, run.best === null ? '–' : `${number(run.best)} ${named('metric', run.metric)}`, plain(run.steps),
			run.seconds ? `${number(run.seconds, 3)} s` : '–', (run.changed_settings ?? []).map((s) => `${s} = ${plain(run.settings?.[s])}`).join(', ')];
		texts.forEach((text, i) => { if (own.cells[i].textContent !== text) own.cells[i].textContent = text; });
		own.tr.classList.toggle('live', Boolean(run.training));
		own.box.checked = chosen.has(name);
		return own;
	}

	function sift() {
		const word = filter.value.toLowerCase();
		for (const { tr, run } of rows.values()) tr.hidden = !`${run.name} ${run.kind} ${run.changed_settings}`.toLowerCase().includes(word);
		empty.hidden = rows.size > 0;
		total.textContent = t('runs.total', { n: rows.size });
	}

	// The curves are read again when their runs have changed: another run may have the name now.
	const compare = latest(async () => {
		const old = [...chosen].map((name) => rows.get(name).run).filter((run) => curves.get(run.name)?.of !== run);
		if (old.length) (await get(`runs/curves?${new URLSearchParams([...old.map((run) => ['run', run.name]), ['points', POINTS]])}`)).runs.forEach((run, i) => curves.set(run.name, { ...run, of: old[i] }));
		draw();
		differ();
	});

	function draw() {
		const shown = [...chosen].map((name) => curves.get(name)).filter(Boolean);
		const points = (run, k) => [...run.steps, ...run.evaluations].filter((l) => typeof l[k] === 'number').map((l) => [l.step, l[k]]);
		const keys = MEASURES.filter((k) => shown.some((run) => points(run, k).length));
		if (!keys.includes(metric)) metric = keys.find((k) => shown.every((run) => points(run, k).length)) ?? keys[0];
		// What has not changed stays, with its focus.
		if (offered !== (offered = `${keys}`)) put(measure, offered && field('runs.measure', select(keys.map((k) => [k, named('metric', k)]), metric, (k) => { metric = k; draw(); })));
		chart.y = named('metric', metric);
		chart.update(shown.map((run) => ({ name: run.name, points: points(run, metric).sort((a, b) => a[0] - b[0]) })));
	}

	function differ() {
		const shown = [...chosen].map((name) => rows.get(name)?.run).filter(Boolean);
		const names = [...new Set(shown.flatMap((run) => Object.keys(run.settings ?? {})))].sort();
		const other = names.filter((n) => new Set(shown.map((run) => plain(run.settings?.[n]))).size > 1);
		const texts = other.map((n) => shown.map((r) => plain(r.settings?.[n])));
		if (compared === (compared = JSON.stringify([shown.map((r) => r.name), other, texts]))) return;
		put(settings, shown.length > 1 && other.length ? table('runs.settings', ['', ...shown.map((r) => r.name)], other.map((n, i) => [el('code', n), ...texts[i]]))
			: el('p.hint', t(shown.length < 2 ? 'runs.two' : 'runs.equal')));
	}

	function forget(name) {
		rows.get(name)?.tr.remove();
		rows.delete(name);
		chosen.delete(name);
	}

	// Also what the page has missed before its stream was open, or while it was closed, as in a hidden tab.
	async function load() {
		const { runs } = await get('runs');
		runs.sort((a, b) => (b.saved ?? '').localeCompare(a.saved ?? ''));
		for (const name of rows.keys()) if (!runs.some((run) => run.name === name)) forget(name);
		const all = runs.map((run) => see(run).tr);
		if (all.some((tr, i) => tr !== body.rows[i])) put(body, all); // a row that moves loses the focus
		sift();
		return runs;
	}

	function heard(name, data) {
		if (name === 'open') attempt(load).then(compare);
		else if (name === 'runs') {
			for (const { tr } of data.runs.map(see)) tr.isConnected || body.prepend(tr);
			(data.gone ?? []).forEach(forget);
			sift();
			compare();
		}
	}

	const runs = await load();
	const good = runs.filter((r) => !r.wrong);
	for (const run of good.filter((r) => r.kind === good[0].kind).slice(0, AT_FIRST)) rows.get(run.name).box.checked = Boolean(chosen.add(run.name));
	const none = () => { chosen.clear(); for (const { box } of rows.values()) box.checked = false; compare(); };
	root.append(empty, card('runs.curves', measure, chart.node), card('runs.settings', settings),
		card('runs.all', row(filter, button('runs.clear', none)), total, scroll(t('runs.all'), el('table.runs', el('thead', el('tr', ['runs.compare', 'run', 'runs.kind', 'runs.best', 'steps', 'runs.time', 'runs.changed'].map((k) => el('th', { scope: 'col' }, t(k))))), body))));
	await compare();
	ended(stream('runs/events', heard));
}
