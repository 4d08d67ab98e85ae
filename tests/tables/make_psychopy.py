import sys
from psychopy import data, logging
import psychopy
def run(name, who, **save):
    exp = data.ExperimentHandler(name='reversal', extraInfo={'participant': who, 'session': '001'}, savePickle=False, saveWideText=False, dataFileName=name)
    exp.addData('welcome.rt', 2.5); exp.nextEntry()
    loop = data.TrialHandler([{'left_image': 'A', 'right_image': 'B'}, {'left_image': 'B', 'right_image': 'A'}], nReps=4, method='sequential', name='trials')
    exp.addLoop(loop)
    keys = ['left', 'right', 'right', None, 'left', 'right', 'left', 'left']
    for k, t in zip(keys, loop):
        loop.addData('key_resp.keys', k)
        if k is not None: loop.addData('key_resp.rt', .4); loop.addData('points', int(k == 'left'))
        exp.nextEntry()
    exp.addData('goodbye.rt', 1.5)
    exp.saveAsWideText(name, **save)
    return loop
loop = run('psychopy_wide.csv', '01')
run('psychopy_tab.tsv', '01', delim='\t')
run('psychopy_semi.csv', '01', delim=';')
loop.saveAsText('psychopy_summary', stimOut=['left_image'], dataOut=('all_raw',), delim=',', fileCollisionMethod='overwrite')
print(psychopy.__version__)
