"polars, openpyxl (through pandas) and the command line of SQLite: pip install polars pandas openpyxl; apt-get install sqlite3"
import sqlite3, subprocess
import pandas as pd, polars as pl
rows = dict(participant=['01'] * 6 + ['1'] * 6, trial=[1, 2, 3, 4, 5, 6] * 2, choice=['left', 'right', 'right', None, 'left', 'right', 'left', 'left', 'right', 'right', 'left', 'right'],
            reward=[.5, 0., 1., None, .5, 0., 1., 0., .5, 1., 0., 1.])
p = pl.DataFrame(rows)
p.write_csv('polars.csv')
p.write_csv('polars_bar.txt', separator='|', quote_style='always', include_bom=True)
p.with_columns(pl.col('choice') == 'left').write_csv('polars_bool.csv')
pd.DataFrame(rows).to_excel('workbook.xlsx', index=False)
with sqlite3.connect('study.db') as c: pd.DataFrame(rows).to_sql('trials', c, index=False, if_exists='replace')
for name, mode in (('sqlite.csv', ['-csv']), ('sqlite_list.txt', ['-list'])):
    open(name, 'wb').write(subprocess.run(['sqlite3', *mode, '-header', 'study.db', 'select * from trials'], capture_output=True, check=True).stdout)
print(pl.__version__, pd.__version__, subprocess.run(['sqlite3', '--version'], capture_output=True, text=True).stdout[:8])
