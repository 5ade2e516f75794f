import { useState } from 'react'
import { useBenchmarkChoices, useDataModelChoices } from '@/lib/api/choices'
import { blankSource, namesIn } from '@/lib/api/sources'
import { formFaults } from '@/lib/faults'
import { useTitle } from '@/lib/hooks'
import { readObject } from '@/lib/json'
import { navigate } from '@/lib/router'
import type { Setting } from '@/lib/training-settings'
import { architectures, configurationOf, settingsOf } from '@/lib/training-settings'
import { CheckList, TextArea } from '@/ui/fields'
import { Field, Input, Select } from '@/ui/form'
import { FormPage, FormSection, MoreFields } from '@/ui/form-page'
import { SourceFields } from './source-fields'
import { useCreateTraining } from './use-trainings'

const camel = (key: string) => key.replace(/_(\w)/g, (_whole, letter: string) => letter.toUpperCase())
const another = 'another'

function useDraft() {
  const [draft, setDraft] = useState({
    name: '',
    dataModelId: '',
    newModel: '',
    architecture: architectures[0]?.value as string,
    otherArchitecture: '',
    gpuCount: '0',
    sources: [blankSource],
    target: '',
    features: '',
    texts: { task: 'classification' } as Record<string, string>,
    configuration: '',
    benchmarkIds: [] as string[],
  })
  type Draft = typeof draft
  const set = <K extends keyof Draft>(key: K, value: Draft[K]) => setDraft((now) => ({ ...now, [key]: value }))
  return { draft, set }
}

/** Begins a training. */
export function TrainingForm() {
  useTitle('New training')
  const { draft, set } = useDraft()
  const { create } = useCreateTraining()
  const [unread, setUnread] = useState('')
  const benchmarks = useBenchmarkChoices()
  const models = useDataModelChoices()
  const other = draft.architecture === another
  const architecture = other ? draft.otherArchitecture.trim() : draft.architecture
  const settings = settingsOf(architecture)
  const own = settings.map(({ key }) => `configuration.${camel(key)}`)
  const fields = ['name', 'dataModelId', 'architecture', 'gpuCount', 'benchmarkIds', 'configuration.target', 'configuration.features', ...own, ...(other ? ['configuration'] : []),
    ...draft.sources.flatMap((_source, i) => [`connectors[${i}].connectorId`, `connectors[${i}].files`])]
  const faults = formFaults(create.error, fields)
  // Without a data model one is made along the way.
  const wantsModel = models.data?.length === 0 || draft.dataModelId === another

  function submit() {
    const typed = readObject(draft.configuration)
    setUnread(other ? (typed.fault ?? '') : '')
    if (other && typed.fault) return
    const features = namesIn(draft.features)
    const columns = { ...(draft.target.trim() && { target: draft.target.trim() }), ...(features.length && { features }) }
    const wish = {
      name: draft.name.trim(),
      architecture,
      gpuCount: other ? Number(draft.gpuCount) : 0,
      dataModelId: wantsModel ? '' : draft.dataModelId,
      benchmarkIds: draft.benchmarkIds,
      configuration: { ...columns, ...(other ? typed.value : configurationOf(architecture, draft.texts)) },
      connectors: draft.sources.map(({ connectorId, files }) => ({ connectorId, ...(files.length && { files }) })),
    }
    create.mutate({ wish, newModel: wantsModel ? draft.newModel.trim() : '' }, { onSuccess: (training) => navigate(`trainings?id=${encodeURIComponent(training.id)}`) })
  }

  return (
    <FormPage
      trail={[{ to: 'trainings', label: 'Trainings' }]}
      title="New training"
      lead="It begins by itself: here, or on a cluster that is registered in the workspace."
      action="Start training"
      pending={create.isPending}
      error={faults.rest ? create.error : undefined}
      onSubmit={submit}
      onCancel={() => navigate('trainings')}
    >
      <FormSection title="What it is">
        <Field label="Name" error={faults.at('name')}>
          {(props) => <Input {...props} required maxLength={200} value={draft.name} onChange={(e) => set('name', e.target.value)} />}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          {models.data?.length !== 0 && (
            <Field label="Data model" error={faults.at('dataModelId')} hint="What it is a model of.">
              {(props) => (
                <Select {...props} required value={draft.dataModelId} onChange={(e) => set('dataModelId', e.target.value)}>
                  <option value="" disabled>
                    {models.isPending ? 'Loading…' : 'Choose…'}
                  </option>
                  {models.data?.map((model) => (
                    <option key={model.id} value={model.id}>
                      {model.name}
                    </option>
                  ))}
                  <option value={another}>Another…</option>
                </Select>
              )}
            </Field>
          )}
          {wantsModel && (
            <Field label="Name of the data model" hint="What it is a model of. It is made with the training." error={models.data?.length === 0 ? faults.at('dataModelId') : undefined}>
              {(props) => <Input {...props} required maxLength={200} placeholder="Churn" value={draft.newModel} onChange={(e) => set('newModel', e.target.value)} />}
            </Field>
          )}
        </div>
      </FormSection>
      <FormSection title="Data">
        <SourceFields
          sources={draft.sources}
          onChange={(sources) => set('sources', sources)}
          target={draft.target}
          onTarget={(target) => set('target', target)}
          features={draft.features}
          onFeatures={(features) => set('features', features)}
          at={faults.at}
          targetFault={faults.at('configuration.target')}
          featuresFault={faults.at('configuration.features')}
        />
      </FormSection>
      <FormSection title="How it learns">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Type" error={other ? undefined : faults.at('architecture')}>
            {(props) => (
              <Select {...props} value={draft.architecture} onChange={(e) => set('architecture', e.target.value)}>
                {architectures.map(({ value, label }) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
                <option value={another}>Another, on a cluster…</option>
              </Select>
            )}
          </Field>
          {other && (
            <Field label="Name of the type" error={faults.at('architecture')} hint="As the cluster knows it.">
              {(props) => <Input {...props} required value={draft.otherArchitecture} onChange={(e) => set('otherArchitecture', e.target.value)} />}
            </Field>
          )}
          {other && (
            <Field label="GPUs" error={faults.at('gpuCount')}>
              {(props) => <Input {...props} type="number" min={0} value={draft.gpuCount} onChange={(e) => set('gpuCount', e.target.value)} />}
            </Field>
          )}
          <Settings settings={settings.filter(({ rare }) => !rare)} texts={draft.texts} onChange={(texts) => set('texts', texts)} at={faults.at} />
        </div>
        {other && (
          <Field label="Configuration" error={unread || faults.at('configuration')} hint="A JSON object, which the cluster is given as it is.">
            {(props) => <TextArea {...props} mono rows={5} value={draft.configuration} onChange={(e) => set('configuration', e.target.value)} />}
          </Field>
        )}
      </FormSection>
      {settings.length > 0 && (
        <MoreFields title="More parameters" open={settings.some(({ key, rare }) => rare && faults.at(`configuration.${camel(key)}`))}>
          <div className="grid gap-4 sm:grid-cols-2">
            <Settings settings={settings.filter(({ rare }) => rare)} texts={draft.texts} onChange={(texts) => set('texts', texts)} at={faults.at} />
          </div>
        </MoreFields>
      )}
      <FormSection title="Measured on">
        <CheckList
          label="Benchmarks"
          choices={(benchmarks.data ?? []).map(({ id, name, description }) => ({ value: id, label: name, hint: description }))}
          chosen={draft.benchmarkIds}
          onChange={(ids) => set('benchmarkIds', ids)}
          error={faults.at('benchmarkIds')}
          none={benchmarks.isPending ? 'Loading…' : 'There are none yet; make one under Leaderboards.'}
        />
      </FormSection>
    </FormPage>
  )
}

interface SettingsProps {
  settings: Setting[]
  texts: Record<string, string>
  onChange: (texts: Record<string, string>) => void
  at: (field: string) => string | undefined
}

function Settings({ settings, texts, onChange, at }: SettingsProps) {
  return settings.map(({ key, label, hint, kind }) => (
    <Field key={key} label={label} hint={hint} error={at(`configuration.${camel(key)}`)}>
      {(props) =>
        kind === 'task' ? (
          <Select {...props} value={texts[key] ?? ''} onChange={(e) => onChange({ ...texts, [key]: e.target.value })}>
            <option value="classification">Classification</option>
            <option value="regression">Regression</option>
          </Select>
        ) : (
          <Input {...props} {...(kind === 'number' && { type: 'number', step: 'any' })} value={texts[key] ?? ''} onChange={(e) => onChange({ ...texts, [key]: e.target.value })} />
        )
      }
    </Field>
  ))
}
