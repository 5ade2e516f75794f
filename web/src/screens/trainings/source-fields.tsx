import { Plus, X } from 'lucide-react'
import { useId } from 'react'
import { useConnectorChoices } from '@/lib/api/choices'
import type { SourceDraft } from '@/lib/api/sources'
import { blankSource, useColumns, useFiles } from '@/lib/api/sources'
import { baseUrl } from '@/lib/base'
import { count } from '@/lib/format'
import { curlConnector } from '@/lib/snippets'
import { Button, IconButton } from '@/ui/button'
import { ErrorState } from '@/ui/feedback'
import { CheckList } from '@/ui/fields'
import { FirstStep } from '@/ui/first-step'
import { Field, Input, Select } from '@/ui/form'

interface Props {
  sources: SourceDraft[]
  onChange: (sources: SourceDraft[]) => void
  target: string
  onTarget: (target: string) => void
  features: string
  onFeatures: (features: string) => void
  at: (field: string) => string | undefined
  targetFault: string | undefined
  featuresFault: string | undefined
}

/** Where data is: files of connectors, which together are one table, and what its columns mean. */
export function SourceFields({ sources, onChange, target, onTarget, features, onFeatures, at, targetFault, featuresFault }: Props) {
  const id = useId()
  const connectors = useConnectorChoices()
  const columns = useColumns(sources.map(({ connectorId }) => connectorId))
  const change = (index: number, next: SourceDraft) => onChange(sources.map((source, i) => (i === index ? next : source)))
  if (connectors.data?.length === 0) {
    return <FirstStep what="There is no connector yet. One is made with the API:" label="connector example" code={curlConnector(baseUrl(location))} />
  }
  return (
    <>
      {connectors.isError && <ErrorState compact error={connectors.error} onRetry={() => void connectors.refetch()} />}
      {sources.map((source, index) => (
        <div key={index} className="space-y-4">
          <div className="flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <Field label={index === 0 ? 'Connector' : `Connector ${index + 1}`} error={at(`connectors[${index}].connectorId`)}>
                {(props) => (
                  <Select {...props} required value={source.connectorId} onChange={(e) => change(index, { connectorId: e.target.value, files: [] })}>
                    <option value="" disabled>
                      Choose…
                    </option>
                    {connectors.data?.map((connector) => (
                      <option key={connector.id} value={connector.id}>
                        {connector.name}
                      </option>
                    ))}
                  </Select>
                )}
              </Field>
            </div>
            {sources.length > 1 && (
              <IconButton label={`Leave out connector ${index + 1}`} onClick={() => onChange(sources.filter((_source, i) => i !== index))} className="mb-0.5">
                <X />
              </IconButton>
            )}
          </div>
          {source.connectorId && <Files source={source} onChange={(files) => change(index, { ...source, files })} fault={at(`connectors[${index}].files`)} />}
        </div>
      ))}
      <Button small onClick={() => onChange([...sources, blankSource])}>
        <Plus /> Another connector
      </Button>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Target" error={targetFault} hint="Column that holds the known answer.">
          {(props) => <Input {...props} list={`${id}-columns`} value={target} onChange={(e) => onTarget(e.target.value)} />}
        </Field>
        <Field label="Features" error={featuresFault} hint="Columns to look at, with commas between; all but the target when empty.">
          {(props) => <Input {...props} value={features} onChange={(e) => onFeatures(e.target.value)} />}
        </Field>
      </div>
      <datalist id={`${id}-columns`}>
        {columns.data?.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  )
}

function Files({ source, onChange, fault }: { source: SourceDraft; onChange: (files: string[]) => void; fault: string | undefined }) {
  const files = useFiles(source.connectorId)
  if (files.isError) return <ErrorState compact error={files.error} onRetry={() => void files.refetch()} />
  return (
    <CheckList
      label="Files"
      choices={(files.data ?? []).map(({ key, size }) => ({ value: key, label: key, hint: `${count(size)} bytes` }))}
      chosen={source.files}
      onChange={onChange}
      error={fault}
      hint="Parts of one table; all that can be read when none is chosen."
      none={files.isPending ? 'Looking into the bucket…' : 'There are no files in it.'}
    />
  )
}
