import { expect, test } from 'vitest'
import { configurationOf, settingsOf } from './training-settings'

test('each architecture has its settings, one that is not known has none', () => {
  const keys = (architecture: string) => settingsOf(architecture).map(({ key }) => key)
  expect(keys('gradient_boosted_trees')).toContain('max_depth')
  expect(keys('gradient_boosted_trees')).not.toContain('batch_size')
  expect(keys('logistic_regression')).toContain('batch_size')
  expect(keys('transformer')).toEqual([])
})

test('texts become a configuration, without what is empty or belongs to another architecture', () => {
  const texts = { epochs: '40', max_depth: '3', learning_rate: ' ', categorical: 'plan, zip,', positive: 'true' }
  expect(configurationOf('logistic_regression', texts)).toEqual({ epochs: 40, categorical: ['plan', 'zip'], positive: 'true' })
  expect(configurationOf('gradient_boosted_trees', texts)).toMatchObject({ max_depth: 3 })
})
