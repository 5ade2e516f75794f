import { expect, test } from 'vitest'
import { Refresher } from './refresher'

/** A read that ends when it is told to. */
function reads() {
  const open: { end: () => void; fail: () => void }[] = []
  const read = () => new Promise((resolve, reject) => open.push({ end: () => resolve(undefined), fail: () => reject(new Error('no')) }))
  return { open, read }
}

const settled = () => new Promise((resolve) => setTimeout(resolve))

test('what is asked for during a read is one read after it', async () => {
  const { open, read } = reads()
  const refresher = new Refresher(read)
  for (let i = 0; i < 5; i++) refresher.request()
  expect(open).toHaveLength(1)
  open[0]!.end()
  await settled()
  expect(open).toHaveLength(2)
  open[1]!.end()
  await settled()
  expect(open).toHaveLength(2)
  refresher.request()
  expect(open).toHaveLength(3)
})

test('a read that fails does not end the reading', async () => {
  const { open, read } = reads()
  const refresher = new Refresher(read)
  refresher.request()
  open[0]!.fail()
  await settled()
  refresher.request()
  expect(open).toHaveLength(2)
})

test('after the end nothing is read', async () => {
  const { open, read } = reads()
  const refresher = new Refresher(read)
  refresher.request()
  refresher.request()
  refresher.close()
  open[0]!.end()
  await settled()
  refresher.request()
  expect(open).toHaveLength(1)
})
