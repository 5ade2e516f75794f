/** The settings of the built-in trainer, and how a form's texts become a configuration. */

export interface Setting {
  key: string
  label: string
  hint: string
  kind: 'number' | 'text' | 'names' | 'task'
  /** Seldom needed. */
  rare?: boolean
  only?: Architecture
}

export type Architecture = 'gradient_boosted_trees' | 'logistic_regression'

export const architectures: { value: Architecture; label: string }[] = [
  { value: 'gradient_boosted_trees', label: 'Gradient boosted trees' },
  { value: 'logistic_regression', label: 'Logistic regression' },
]

const trees = 'gradient_boosted_trees'

const settings: Setting[] = [
  { key: 'task', label: 'Task', hint: 'Classes, or a number.', kind: 'task', only: trees },
  { key: 'epochs', label: 'Epochs', hint: 'Rounds; 100 trees or 20 passes when empty.', kind: 'number' },
  { key: 'learning_rate', label: 'Learning rate', hint: '0.1 of trees, else 0.05, when empty.', kind: 'number' },
  { key: 'max_depth', label: 'Depth of a tree', hint: 'At most; 4 when empty.', kind: 'number', only: trees },
  { key: 'batch_size', label: 'Batch size', hint: '64 when empty.', kind: 'number', only: 'logistic_regression' },
  { key: 'validation_split', label: 'Held back', hint: 'Share that it is measured on; 0.2 when empty.', kind: 'number' },
  { key: 'positive', label: 'Positive class', hint: 'Of two, the one that counts.', kind: 'text', rare: true },
  { key: 'categorical', label: 'Categories', hint: 'Columns that only look like numbers, with commas between.', kind: 'names', rare: true },
  { key: 'checkpoint_every', label: 'Epochs between checkpoints', hint: 'A tenth of all when empty.', kind: 'number', rare: true },
  { key: 'l2', label: 'L2 penalty', hint: '1 of trees, else 0.0001, when empty.', kind: 'number', rare: true },
  { key: 'seed', label: 'Seed', hint: 'The same seed gives the same model; 1 when empty.', kind: 'number', rare: true },
  { key: 'max_bins', label: 'Bins of a column', hint: '64 when empty.', kind: 'number', rare: true, only: trees },
  { key: 'min_leaf_weight', label: 'Least weight of a leaf', hint: '1 when empty.', kind: 'number', rare: true, only: trees },
  { key: 'subsample', label: 'Share of rows of a tree', hint: '1 when empty.', kind: 'number', rare: true, only: trees },
  { key: 'min_split_loss', label: 'Least gain of a split', hint: '0 when empty.', kind: 'number', rare: true, only: trees },
]

/** The settings that an architecture has; none of one that the built-in trainer does not know. */
export const settingsOf = (architecture: string): Setting[] =>
  architectures.some(({ value }) => value === architecture) ? settings.filter(({ only }) => !only || only === architecture) : []

/** The configuration that texts stand for: what is empty, or is of another architecture, is left out. */
export function configurationOf(architecture: string, texts: Record<string, string>): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const { key, kind } of settingsOf(architecture)) {
    const text = (texts[key] ?? '').trim()
    if (text === '') continue
    if (kind === 'number') out[key] = Number(text)
    else if (kind === 'names') out[key] = text.split(',').map((name) => name.trim()).filter(Boolean)
    else out[key] = text
  }
  return out
}
