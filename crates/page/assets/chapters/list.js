// The path: from a neuron to a translation, then the notes.

export const CHAPTERS = ['neuron', 'digits', 'train', 'tokens', 'gpt', 'what-if', 'core', 'runs', 'translation', 'notes'];
