import { describe, expect, test } from 'vitest'
import type { Epoch } from './trainings'
import { best, bestFirst, curvesOf, metricLabel, metricValue, nextRanking } from './trainings'

const epoch = (number: number, metrics: Record<string, number>): Epoch => ({ epoch: number, metrics })

describe('curves', () => {
  test('losses and scores apart, in the order of epochs, with gaps where nothing was measured', () => {
    const curves = curvesOf([epoch(2, { train_loss: 0.4, accuracy: 0.8 }), epoch(1, { train_loss: 0.6 }), epoch(3, { train_loss: Number.NaN, accuracy: 0.9 })])
    expect(curves).toEqual({
      epochs: [1, 2, 3],
      losses: [{ name: 'train_loss', values: [0.6, 0.4, null] }],
      scores: [{ name: 'accuracy', values: [null, 0.8, 0.9] }],
    })
  })

  test('of very many epochs some are left out, the first and the last never', () => {
    const { epochs, losses } = curvesOf(Array.from({ length: 10_000 }, (_, i) => epoch(i + 1, { log_loss: i })))
    expect(epochs).toHaveLength(400)
    expect([epochs[0], epochs.at(-1)]).toEqual([1, 10_000])
    expect(losses[0]?.values.at(-1)).toBe(9999)
    expect(new Set(epochs).size).toBe(400)
  })

  test('the log loss is shown once, as the validation loss where there is one', () => {
    const names = (metrics: Record<string, number>) => curvesOf([epoch(1, metrics)]).losses.map((curve) => curve.name)
    expect(names({ log_loss: 1, validation_loss: 1 })).toEqual(['validation_loss'])
    expect(names({ log_loss: 1 })).toEqual(['log_loss'])
  })

  test('nothing yet', () => {
    expect(curvesOf([])).toEqual({ epochs: [], losses: [], scores: [] })
  })
})

test('the best of a loss is the least, of a score the most, the earlier of equals', () => {
  const metrics = [epoch(1, { log_loss: 0.5, accuracy: 0.7 }), epoch(2, { log_loss: 0.3, accuracy: 0.9 }), epoch(3, { log_loss: 0.4, accuracy: 0.9 })]
  expect(best(metrics, 'log_loss')).toEqual({ epoch: 2, value: 0.3 })
  expect(best(metrics, 'accuracy')).toEqual({ epoch: 2, value: 0.9 })
  expect(best(metrics, 'ks')).toBeUndefined()
})

test('a click on a head puts the best first, and another the worst', () => {
  expect(bestFirst('log_loss')).toEqual({ metric: 'log_loss', direction: 'asc' })
  expect(nextRanking(bestFirst('accuracy'), 'log_loss')).toEqual({ metric: 'log_loss', direction: 'asc' })
  expect(nextRanking(bestFirst('log_loss'), 'log_loss')).toEqual({ metric: 'log_loss', direction: 'desc' })
  expect(nextRanking({ metric: 'f1', direction: 'asc' }, 'f1')).toEqual({ metric: 'f1', direction: 'desc' })
})

test('names and values for people', () => {
  expect(['roc_auc', 'validation_loss', 'ks'].map(metricLabel)).toEqual(['ROC AUC', 'Validation loss', 'KS'])
  expect([0.87654, 123.456].map(metricValue)).toEqual(['0.8765', '123.5'])
})
