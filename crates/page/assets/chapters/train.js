// Start a training and watch it: curves, weights and gradients; then one step, opened.

import { attempt, button, card, Chart, el, get, link, named, number, post, say, stream, t, put } from '../lib/page.js';
import { starting } from './train-start.js';
import { Watched } from './train-watched.js';
import { openedStep } from './train-step.js';

const POINTS = 500; // about as many of a long curve are drawn
const SPEEDS = ['step', 'slow', 'full', 'pause'];
const OVER = ['finished', 'stopped', 'failed'];

export async function mount(root, ended) {
	const state = el('p', { id: 'training-state' });
	const bar = el('progress', { max: 1, 'aria-label': t('progress') });
	const loss = new Chart(t('train.loss'), t('step'), t('loss'));
	const quality = new Chart(t('train.quality'), t('step'), '');
	const watched = new Watched();
	const step = openedStep();
	let [now, losses, marks] = [null, [], []];

	const control = (body) => attempt(() => post('training/control', body));
	const speeds = SPEEDS.map((speed) => button(t(`speed.${speed}`), () => control({ speed })));
	const stop = button('stop', () => control({ stop: true }));

	function see(training) {
		[losses, marks] = [training?.losses ?? [], training?.evaluations ?? []];
		drawLoss();
		drawQuality();
		if (training?.run !== now?.run || training?.parameters.length !== now?.parameters.length) watched.of(training);
		if (training?.state !== now?.state) {
			say(training ? t(`state.${training.state}`) : '');
			step.training(training);
		}
		now = training;
		const over = !now || OVER.includes(now.state);
		speeds.forEach((b, i) => { b.disabled = over; b.setAttribute('aria-pressed', String(!over && now.speed === SPEEDS[i])); });
		stop.disabled = over;
		start.busy(!over);
		progress();
	}

	function progress() {
		live.hidden = !now;
		if (!now) return;
		const right = now.result?.test_accuracy;
		bar.value = now.steps ? now.step / now.steps : 0;
		put(state, el('strong', now.run), ` · ${t(`state.${now.state}`)} · ${t('step')} ${now.step} / ${now.steps ?? '?'}`, now.loss ? ` · ${t('loss')} ${number(now.loss)}` : '',
			el('span.error', now.error ? ` ${now.error}` : ''), right ? ` · ${t('metric.test_accuracy')} ${number(right)}` : '',
			...(['finished', 'stopped'].includes(now.state) ? [' · ', el('a', { href: link(now.kind, { m: now.run }) }, t('train.look'))] : []));
	}

	const drawLoss = () => loss.update([{ name: t('loss'), points: losses }]);

	function drawQuality() {
		const metric = Object.keys(marks[0]?.[1] ?? {}).find((k) => k.startsWith('val')) ?? 'train_loss';
		quality.y = named('metric', metric);
		quality.update([{ name: quality.y, points: marks.map(([step, m]) => [step, m[metric]]), colour: 2 }]);
	}

	function heard(event, data) {
		if (event === 'training') see(data);
		else if (event === 'step' && now) {
			const known = losses.at(-1)?.[0] ?? -1;
			losses.push(...data.losses.filter(([step]) => step > known));
			if (losses.length > 2 * POINTS) losses = spread(losses);
			Object.assign(now, { step: data.step, loss: data.loss });
			drawLoss();
			progress();
			watched.moved = true;
			watched.refresh();
		} else if (event === 'evaluation') {
			marks.push([data.step, data]);
			drawQuality();
		} else if (event === 'warning') say(data.text);
	}

	const start = await starting();
	const live = card('train.live', state, bar, el('div.row', { role: 'group', 'aria-label': t('speed') }, speeds, stop),
		el('div.cards', el('div', el('h3', t('train.loss')), loss.node), el('div', el('h3', t('train.quality')), quality.node)), watched.node);
	live.hidden = true;
	root.append(start.node, live, step.node);
	see(await get('training'));
	await step.training(now);
	ended(stream('training/events', heard));
}

// Points of a long curve, evenly spread: of those of each gap, the first stays. With powers of two, it stayed the last
// time too.
function spread(points) {
	const first = points[0][0];
	const gap = 2 ** Math.ceil(Math.log2((points.at(-1)[0] - first) / POINTS));
	let last = -1;
	return points.filter(([step], i) => {
		const before = last;
		last = Math.floor((step - first) / gap);
		return last !== before || i + 1 === points.length;
	});
}
