import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useApi } from '@/lib/api/context'
import type { Named } from '@/lib/api/choices'
import { blankSource, namesIn } from '@/lib/api/sources'
import { metricLabel, metricNames } from '@/lib/api/trainings'
import { formFaults } from '@/lib/faults'
import { useTitle } from '@/lib/hooks'
import { navigate } from '@/lib/router'
import { CheckList } from '@/ui/fields'
import { Field, Input } from '@/ui/form'
import { FormPage, FormSection } from '@/ui/form-page'
import { SourceFields } from '../trainings/source-fields'

const tasks = ['binary_classification', 'multiclass_classification', 'regression']

/** Makes a benchmark: data with known answers. */
export function BenchmarkForm() {
  useTitle('New benchmark')
  const api = useApi()
  const queries = useQueryClient()
  const create = useMutation({
    mutationFn: (wish: Record<string, unknown>) => api.post<Named>('/api/v1/benchmarks', wish),
    onSuccess: () => Promise.all(['benchmarks', 'choices'].map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  })
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [task, setTask] = useState('binary_classification')
  const [metrics, setMetrics] = useState<string[]>(['accuracy', 'f1', 'roc_auc'])
  const [sources, setSources] = useState([blankSource])
  const [target, setTarget] = useState('')
  const [features, setFeatures] = useState('')
  const of = (key: string) => sources.map((_source, index) => `connectors[${index}].${key}`)
  const faults = formFaults(create.error, ['name', 'description', 'task', 'metrics', 'connectors', ...['connectorId', 'files', 'target', 'features'].flatMap(of)])
  const first = (key: string) => of(key).map(faults.at).find(Boolean)

  function submit() {
    const columns = { ...(target.trim() && { target: target.trim() }), ...(namesIn(features).length && { features: namesIn(features) }) }
    const connectors = sources.map(({ connectorId, files }) => ({ connectorId, ...(files.length && { files }), ...columns }))
    create.mutate({ name: name.trim(), description: description.trim(), task: task.trim(), metrics, connectors }, { onSuccess: (made) => navigate(`leaderboards?benchmark=${encodeURIComponent(made.id)}`) })
  }
  return (
    <FormPage
      trail={[{ to: 'leaderboards', label: 'Leaderboards' }]}
      title="New benchmark"
      lead="Data with known answers, which no training has seen. Checkpoints are measured on it from their training’s page."
      action="Create benchmark"
      pending={create.isPending}
      error={faults.rest ? create.error : undefined}
      onSubmit={submit}
      onCancel={() => navigate('leaderboards')}
    >
      <FormSection title="What it is">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Name" error={faults.at('name')}>
            {(props) => <Input {...props} required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
          </Field>
          <Field label="Task" error={faults.at('task')}>
            {(props) => (
              <>
                <Input {...props} required list="benchmark-tasks" value={task} onChange={(e) => setTask(e.target.value)} />
                <datalist id="benchmark-tasks">
                  {tasks.map((known) => (
                    <option key={known} value={known} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
        </div>
        <Field label="Description" error={faults.at('description')} hint="What it measures.">
          {(props) => <Input {...props} required value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        <CheckList label="Metrics" choices={metricNames.map((metric) => ({ value: metric, label: metricLabel(metric) }))} chosen={metrics} onChange={setMetrics} error={faults.at('metrics')} />
      </FormSection>
      <FormSection title="Data">
        <SourceFields
          sources={sources}
          onChange={setSources}
          target={target}
          onTarget={setTarget}
          features={features}
          onFeatures={setFeatures}
          at={faults.at}
          targetFault={first('target') ?? faults.at('connectors')}
          featuresFault={first('features')}
        />
      </FormSection>
    </FormPage>
  )
}
