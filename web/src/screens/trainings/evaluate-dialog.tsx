import type { FormEvent } from 'react'
import { useState } from 'react'
import { useBenchmarkChoices } from '@/lib/api/choices'
import type { Checkpoint, Evaluation } from '@/lib/api/trainings'
import { metricLabel, metricValue } from '@/lib/api/trainings'
import { formFaults } from '@/lib/faults'
import { Link } from '@/lib/router'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Select } from '@/ui/form'
import { Facts } from '@/ui/list'
import { useEvaluate } from './use-trainings'

/** Measures a checkpoint on a benchmark, and shows what came of it. */
export function EvaluateDialog({ checkpoint, onClose }: { checkpoint: Checkpoint; onClose: () => void }) {
  const benchmarks = useBenchmarkChoices()
  const evaluate = useEvaluate()
  const [benchmark, setBenchmark] = useState('')
  const faults = formFaults(evaluate.error, ['benchmarkId'])
  const none = benchmarks.data?.length === 0

  function submit(event: FormEvent) {
    event.preventDefault()
    evaluate.mutate({ checkpointId: checkpoint.id, benchmarkId: benchmark })
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Evaluate ${checkpoint.name}`}
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button look="primary" type="submit" form="evaluate-form" disabled={evaluate.isPending || benchmark === ''}>
            {evaluate.isPending ? 'Measuring…' : 'Evaluate'}
          </Button>
        </>
      }
    >
      <form id="evaluate-form" onSubmit={submit} className="space-y-4">
        {none ? (
          <p>
            There is no benchmark yet.{' '}
            <Link to="leaderboards?new=1" className="text-accent underline underline-offset-4">
              Make one
            </Link>
            : data with known answers.
          </p>
        ) : (
          <Field label="Benchmark" error={faults.at('benchmarkId')}>
            {(props) => (
              <Select {...props} required value={benchmark} onChange={(e) => setBenchmark(e.target.value)}>
                <option value="" disabled>
                  {benchmarks.isPending ? 'Loading…' : 'Choose…'}
                </option>
                {benchmarks.data?.map(({ id, name }) => (
                  <option key={id} value={id}>
                    {name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        )}
        {faults.rest && <ErrorState compact error={evaluate.error} />}
        {evaluate.data && <Result result={evaluate.data.result} />}
      </form>
    </Dialog>
  )
}

function Result({ result }: { result: Evaluation['result'] }) {
  if (result.status === 'failed') return <ErrorState compact error={new Error(result.reason?.message ?? 'It failed.')} />
  return (
    <div role="status" className="space-y-3">
      {result.status === 'succeeded' ? (
        <Facts className="xl:grid-cols-3!" facts={Object.entries(result.metrics ?? {}).map(([name, value]) => [metricLabel(name), metricValue(value)])} />
      ) : (
        <p className="text-ink-3">It goes on; its result comes to the leaderboard.</p>
      )}
      <Link to="leaderboards" className="text-accent underline underline-offset-4">
        See the leaderboard
      </Link>
    </div>
  )
}
