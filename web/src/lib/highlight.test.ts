import { expect, test } from 'vitest'
import { highlight } from './highlight'

const hits = (text: string, query: string) => highlight(text, query).flatMap((part) => (part.hit ? [part.text] : []))

test('words that begin as a word of the query does', () => {
  expect(hits('Refunds: a refund is not a prefund.', 'How long does a REFUND take?')).toEqual(['Refunds', 'refund'])
  expect(hits('Größe und Straße', 'größe')).toEqual(['Größe'])
})

test('short words count only where there are no others', () => {
  expect(hits('It is so', 'is it true')).toEqual([])
  expect(hits('AI is so', 'ai')).toEqual(['AI'])
})

test('the parts are the text, whatever is asked', () => {
  for (const query of ['', '.*', 'tea (hot)', '\\']) {
    expect(highlight('Tea (hot), 3 cups\n', query).map((part) => part.text).join('')).toBe('Tea (hot), 3 cups\n')
  }
})
