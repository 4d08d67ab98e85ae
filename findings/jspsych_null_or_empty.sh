#!/usr/bin/env bash
# jsPsych's own CSV writer (data.csv()) has two marks for "there is nothing", and quotes numbers.
#
# One would guess: a response that was not given is an empty cell in the CSV, as a variable that the row does not have.
# What happens: a variable that the row has and that is null is the four letters "null"; one that the row has not is an
# empty cell. So in one column "null" (nobody answered) and "" (no such question) stand beside each other, and a reader
# that takes only empty cells for missing gets an option called "null". Every cell is quoted, numbers, too, and a survey's
# answers are JSON in the column in which a key press stands as a letter.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT; cd "$here"
npm init -y >/dev/null 2>&1
npm install --silent --no-audit --no-fund jspsych@8.3.0 jsdom@29.1.1 >/dev/null 2>&1
cat >write.js <<'JS'
const { JSDOM } = require('jsdom');
const dom = new JSDOM('<!doctype html><body></body>', { url: 'http://localhost/', pretendToBeVisual: true });
for (const k of ['window', 'document', 'HTMLElement', 'Node', 'CustomEvent', 'Event']) global[k] = k === 'window' ? dom.window : dom.window[k];
const DataCollection = require('jspsych').initJsPsych().data.get().constructor;
process.stdout.write(new DataCollection([
  { task: 'choice', response: 'f', points: 1 },
  { task: 'choice', response: null, points: null },
  { task: 'fixation' },
  { task: 'survey', response: { Q0: 'fine' } },
]).csv());
JS
echo "jsPsych $(node -p "require('./node_modules/jspsych/package.json').version")"
node write.js | tr -d '\r' >seen.csv
cat seen.csv
printf '%s\n' '"task","response","points"' '"choice","f","1"' '"choice","null","null"' '"fixation","",""' '"survey","{""Q0"":""fine""}",""' >expected.csv
if ! diff <(sed -e '$a\' seen.csv) expected.csv; then echo 'jsPsych writes something else now'; exit 1; fi
echo 'null is "null", what is not there is "", an object is JSON; numbers are quoted'
