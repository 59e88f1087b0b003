// The path: from a neuron to a translation, then the notes.

import { offline } from '../lib/api.js';

export const CHAPTERS = ['neuron', 'digits', 'train', 'tokens', 'gpt', 'what-if', 'core', 'runs', 'translation', 'notes'];

export const chapter = (name) => import(`./${name}.js`).catch(offline);
