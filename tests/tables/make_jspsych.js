// jsPsych's own writer: npm install jspsych@8.3.0 jsdom; node make_jspsych.js
const { JSDOM } = require('jsdom');
const fs = require('fs');
const dom = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/', pretendToBeVisual: true });
for (const k of ['window', 'document', 'HTMLElement', 'Node', 'CustomEvent', 'Event']) global[k] = k === 'window' ? dom.window : dom.window[k];
const { initJsPsych } = require('jspsych');
const DataCollection = initJsPsych().data.get().constructor;
const keys = ['f', 'j', 'j', null, 'f', 'j', 'f', 'f'], pay = [1, 0, 1, null, 1, 0, 1, 0];
const all = [{ trial_type: 'instructions', rt: 2500, view_history: [{ page_index: 0, viewing_time: 2500 }] }];
keys.forEach((k, i) => {
  all.push({ trial_type: 'html-keyboard-response', task: 'fixation', stimulus: '+', rt: null, response: null });
  all.push({ trial_type: 'html-keyboard-response', task: 'choice', stimulus: '<p>Left, or "right"?</p>', rt: k ? 400 + i : null, response: k, points: pay[i] });
});
all.push({ trial_type: 'survey-text', rt: 9000, response: { Q0: 'fine, thanks' } });
const data = new DataCollection(all.map((o, i) => Object.assign({ subject: '007', trial_index: i }, o)));
fs.writeFileSync('jspsych_all.csv', data.csv());
fs.writeFileSync('jspsych_choices.csv', data.filter({ task: 'choice' }).csv());
fs.writeFileSync('jspsych.json', data.json());
