import { describe, expect, test } from 'vitest'
import { initialTexts, placesOf, readTexts, schemaFields } from './schema-form'

const schema = {
  type: 'object',
  required: ['question'],
  properties: {
    question: { type: 'string', title: 'Question', description: 'What is asked.' },
    total: { type: 'number', default: 250 },
    urgent: { type: 'boolean' },
    tone: { enum: ['short', 'long'], example: 'long' },
    items: { type: 'array', default: [1, 2] },
  },
}

describe('the form of a schema', () => {
  const fields = schemaFields(schema)

  test('has a field of a fitting kind for each property', () => {
    expect(fields.map(({ label, kind, required }) => [label, kind, required])).toEqual([
      ['Question', 'text', true],
      ['total', 'number', false],
      ['urgent', 'boolean', false],
      ['tone', 'choice', false],
      ['items', 'json', false],
    ])
  })

  test('begins with defaults and examples', () => {
    expect(initialTexts(fields)).toEqual({ question: '', total: '250', urgent: 'false', tone: 'long', items: '[1,2]' })
  })

  test('is read back as values, without what is empty', () => {
    const { values, faults } = readTexts(fields, { question: 'Why?', total: '3.5', urgent: 'true', tone: '', items: '[{"a":1}]' })
    expect(values).toEqual({ question: 'Why?', total: 3.5, urgent: true, items: [{ a: 1 }] })
    expect(faults).toEqual({})
  })

  test('names what cannot be read', () => {
    expect(readTexts(fields, { question: 'Why?', items: '[1,', total: 'many' }).faults).toEqual({ items: 'is not JSON', total: 'is not a number' })
  })

  test('is empty without properties', () => {
    expect(schemaFields({})).toEqual([])
    expect(schemaFields(null)).toEqual([])
  })
})

test('the places of a template are found once each', () => {
  expect(placesOf('Help {{customer}} on {{ day }}, {{customer}}; {{ 1 + 1 }}')).toEqual(['customer', 'day'])
})
