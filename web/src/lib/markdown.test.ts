import { expect, test } from 'vitest'
import { parseBlocks } from './markdown'

test('blocks of an answer', () => {
  const text = '# Title\nfirst\nsecond\n\n- a\n- b\n1. one\n2. two\n```js\nlet a\n\n- not a list\n```\nend'
  expect(parseBlocks(text)).toEqual([
    { kind: 'heading', text: 'Title' },
    { kind: 'paragraph', text: 'first\nsecond' },
    { kind: 'list', ordered: false, items: ['a', 'b'] },
    { kind: 'list', ordered: true, items: ['one', 'two'] },
    { kind: 'code', language: 'js', text: 'let a\n\n- not a list' },
    { kind: 'paragraph', text: 'end' },
  ])
})

test('a fence that is still open is code already', () => {
  expect(parseBlocks('see\n```\nhalf')).toEqual([
    { kind: 'paragraph', text: 'see' },
    { kind: 'code', language: '', text: 'half' },
  ])
})

test('nothing is nothing', () => expect(parseBlocks('')).toEqual([]))
