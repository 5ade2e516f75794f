import { useState } from 'react'
import type { Agent, AgentDraft } from '@/lib/api/agents'
import { builtInTools } from '@/lib/api/agents'
import { useBaseChoices, useMcpChoices, useMemoryChoices } from '@/lib/api/choices'
import type { Tagged } from '@/lib/api/client'
import { hasMovedOn } from '@/lib/api/client'
import { canChat, useModels } from '@/lib/api/models'
import type { Editing } from '@/lib/editing'
import { useEditing } from '@/lib/editing'
import { formFaults } from '@/lib/faults'
import { useTitle } from '@/lib/hooks'
import { readObject } from '@/lib/json'
import { navigate } from '@/lib/router'
import { CheckList, TextArea } from '@/ui/fields'
import { Field, Input, Select } from '@/ui/form'
import { FormPage, FormSection, MoreFields } from '@/ui/form-page'
import { OthersSaves } from '@/ui/moved-on'
import { agentLink } from './agents-screen'
import { agentPath, useAgentCommands } from './use-agents'

const statuses = ['active', 'draft', 'inactive', 'archived']

const limits = [
  { key: 'max_steps', label: 'Calls of the model, at most', hint: '10 when empty.' },
  { key: 'max_cost_usd', label: 'Cost of a run, at most', hint: 'US dollars; no limit of its own when empty.' },
  { key: 'timeout_ms', label: 'Time for a run', hint: 'Milliseconds; 600000 when empty.' },
  { key: 'parallel_tools', label: 'Tools called at once', hint: '4 when empty.' },
] as const

const fields = ['name', 'description', 'instructions', 'model', 'temperature', 'maxTokens', 'tools', 'datasetIds', 'memoryProvider', 'status', 'inputSchema', 'outputSchema',
  ...limits.map(({ key }) => `config.${camel(key)}`)]

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_whole, letter: string) => letter.toUpperCase())
}

const schemaText = (schema: Record<string, unknown> | null | undefined) => (schema && Object.keys(schema).length > 0 ? JSON.stringify(schema, null, 2) : '')
const numberText = (value: unknown) => (typeof value === 'number' ? String(value) : '')

/** The form's own state: what is typed, as it is typed. */
function draftOf(agent: Agent | undefined) {
  const config = agent?.config ?? {}
  const known = new Set(builtInTools.map(({ value }) => value))
  const tools = agent?.tools ?? []
  return {
    name: agent?.name ?? '',
    description: agent?.description ?? '',
    instructions: agent?.instructions ?? '',
    model: agent?.model ?? '',
    temperature: numberText(agent?.temperature),
    maxTokens: numberText(agent?.maxTokens),
    tools: tools.filter((tool) => known.has(tool) || /^mcp:[^/]+$/.test(tool)),
    moreTools: tools.filter((tool) => !known.has(tool) && !/^mcp:[^/]+$/.test(tool)).join('\n'),
    datasetIds: agent?.datasetIds ?? [],
    memoryProvider: agent?.memoryProvider ?? '',
    status: agent?.status ?? 'active',
    inputSchema: schemaText(agent?.inputSchema),
    outputSchema: schemaText(agent?.outputSchema),
    limits: Object.fromEntries(limits.map(({ key }) => [key, numberText(config[key] ?? config[camel(key)])])) as Record<string, string>,
  }
}

type Draft = ReturnType<typeof draftOf>

/** What is to be written, or what of it cannot be read. */
function written(draft: Draft, agent: Agent | undefined): { draft: AgentDraft } | { faults: Record<string, string> } {
  const input = readObject(draft.inputSchema)
  const output = readObject(draft.outputSchema)
  if (input.fault || output.fault) return { faults: { ...(input.fault && { inputSchema: input.fault }), ...(output.fault && { outputSchema: output.fault }) } }
  const number = (text: string) => (text.trim() ? Number(text) : agent ? null : undefined)
  const config: Record<string, unknown> = { ...agent?.config }
  for (const { key } of limits) {
    delete config[camel(key)]
    if (draft.limits[key]?.trim()) config[key] = Number(draft.limits[key])
    else delete config[key]
  }
  return {
    draft: {
      name: draft.name.trim(),
      description: draft.description.trim(),
      instructions: draft.instructions,
      model: draft.model.trim(),
      temperature: number(draft.temperature) as number | null,
      maxTokens: number(draft.maxTokens) as number | null,
      tools: [...draft.tools, ...draft.moreTools.split(/[\n,]/).map((tool) => tool.trim()).filter(Boolean)],
      datasetIds: draft.datasetIds,
      memoryProvider: draft.memoryProvider.trim(),
      status: draft.status,
      inputSchema: input.value,
      outputSchema: output.value,
      config,
    },
  }
}

/** Makes an agent, or changes one. */
export function AgentForm({ agent }: { agent?: Tagged<Agent> }) {
  const title = agent ? `Edit ${agent.name}` : 'New agent'
  useTitle(title)
  const { save } = useAgentCommands()
  const editing = useEditing(agent, draftOf)
  const { base, draft, set } = editing
  const [unread, setUnread] = useState<Record<string, string>>({})
  const faults = formFaults(save.error, fields)
  const at = (field: string) => unread[field] ?? faults.at(field)

  function submit(over = base) {
    const found = written(draft, over)
    setUnread('faults' in found ? found.faults : {})
    if ('draft' in found) save.mutate({ base: over, draft: found.draft }, { onSuccess: (saved) => navigate(agentLink(saved.id)) })
  }

  return (
    <FormPage
      trail={[{ to: 'agents', label: 'Agents' }, ...(agent ? [{ to: agentLink(agent.id), label: agent.name }] : [])]}
      title={title}
      lead={agent ? 'What it does becomes its next version; runs that go on keep theirs.' : 'A model with instructions and tools, that works on a task until it has an answer.'}
      action={agent ? 'Save' : 'Create agent'}
      pending={save.isPending}
      error={faults.rest && !hasMovedOn(save.error) ? save.error : undefined}
      notice={base && <OthersSaves noun="agent" path={agentPath(base.id)} editing={editing} save={save} onOverwrite={submit} />}
      onSubmit={() => submit()}
      onCancel={() => navigate(agent ? agentLink(agent.id) : 'agents')}
    >
      <FormSection title="What it is">
        <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_10rem]">
          <Field label="Name" error={at('name')} hint="Unique in the workspace.">
            {(props) => <Input {...props} required maxLength={200} value={draft.name} onChange={(e) => set('name', e.target.value)} />}
          </Field>
          <Field label="Status" error={at('status')}>
            {(props) => (
              <Select {...props} value={draft.status} onChange={(e) => set('status', e.target.value)}>
                {statuses.map((status) => (
                  <option key={status}>{status}</option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <Field label="Description" error={at('description')} hint="Optional.">
          {(props) => <Input {...props} value={draft.description} onChange={(e) => set('description', e.target.value)} />}
        </Field>
        <Field label="Instructions" error={at('instructions')} hint="Its system prompt. {{name}} is a place that each run fills.">
          {(props) => <TextArea {...props} rows={7} value={draft.instructions} onChange={(e) => set('instructions', e.target.value)} />}
        </Field>
      </FormSection>
      <ModelSection draft={draft} set={set} at={at} />
      <AbilitiesSection draft={draft} set={set} at={at} />
      <MoreFields title="Limits and shapes" open={fields.some((field) => /Schema|config/.test(field) && at(field))}>
        <div className="grid gap-4 sm:grid-cols-2">
          {limits.map(({ key, label, hint }) => (
            <Field key={key} label={label} hint={hint} error={at(`config.${camel(key)}`)}>
              {(props) => <Input {...props} type="number" step="any" value={draft.limits[key] ?? ''} onChange={(e) => set('limits', { ...draft.limits, [key]: e.target.value })} />}
            </Field>
          ))}
        </div>
        <Field label="Input schema" error={at('inputSchema')} hint="JSON Schema that the input of a run must keep. A message, when empty.">
          {(props) => <TextArea {...props} mono rows={5} value={draft.inputSchema} onChange={(e) => set('inputSchema', e.target.value)} />}
        </Field>
        <Field label="Answer schema" error={at('outputSchema')} hint="JSON Schema that its answer must keep; the model gets one try to correct itself.">
          {(props) => <TextArea {...props} mono rows={5} value={draft.outputSchema} onChange={(e) => set('outputSchema', e.target.value)} />}
        </Field>
      </MoreFields>
    </FormPage>
  )
}

type Part = Pick<Editing<Agent, Draft>, 'draft' | 'set'> & { at: (field: string) => string | undefined }

function ModelSection({ draft, set, at }: Part) {
  const models = useModels()
  return (
    <FormSection title="Model">
      <Field label="Model" error={at('model')} hint="The built-in strata/extract-1, when empty: it quotes what it was told, and calls no tools.">
        {(props) => (
          <>
            <Input {...props} list="agent-models" placeholder="provider/model" className="font-mono text-[13px]" value={draft.model} onChange={(e) => set('model', e.target.value)} />
            <datalist id="agent-models">
              {models.data?.filter(canChat).map((model) => (
                <option key={model.id} value={model.id} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Temperature" error={at('temperature')} hint="From 0 to 2; the model’s own when empty.">
          {(props) => <Input {...props} type="number" step="any" value={draft.temperature} onChange={(e) => set('temperature', e.target.value)} />}
        </Field>
        <Field label="Longest answer" error={at('maxTokens')} hint="Tokens of one call; the model’s own when empty.">
          {(props) => <Input {...props} type="number" step={1} value={draft.maxTokens} onChange={(e) => set('maxTokens', e.target.value)} />}
        </Field>
      </div>
    </FormSection>
  )
}

function AbilitiesSection({ draft, set, at }: Part) {
  const servers = useMcpChoices()
  const bases = useBaseChoices()
  const memories = useMemoryChoices()
  const tools = [...builtInTools, ...(servers.data ?? []).map((server) => ({ value: `mcp:${server.name}`, label: server.name, hint: server.description || 'MCP server' }))]
  // What was chosen and is not there any more can still be taken away.
  for (const tool of draft.tools) if (!tools.some(({ value }) => value === tool)) tools.push({ value: tool, label: tool, hint: 'not found' })
  const known = (bases.data ?? []).map((base) => ({ value: base.id, label: base.name, hint: base.description }))
  for (const id of draft.datasetIds) if (bases.data && !known.some(({ value }) => value === id)) known.push({ value: id, label: id, hint: 'not found' })
  return (
    <FormSection title="What it may use">
      <CheckList label="Tools" choices={tools} chosen={draft.tools} onChange={(next) => set('tools', next)} error={at('tools')} />
      <Field label="More tools" hint="One a line, as mcp:server/tool for a single tool of a server.">
        {(props) => <TextArea {...props} mono rows={2} value={draft.moreTools} onChange={(e) => set('moreTools', e.target.value)} />}
      </Field>
      <CheckList
        label="Knowledge bases"
        choices={known}
        chosen={draft.datasetIds}
        onChange={(next) => set('datasetIds', next)}
        error={at('datasetIds')}
        none={bases.isPending ? 'Loading…' : 'There are none yet; make one under Knowledge.'}
      />
      <Field label="Memory" error={at('memoryProvider')} hint="Where it keeps what it learns of users: internal, or a memory provider.">
        {(props) => (
          <>
            <Input {...props} list="memory-providers" placeholder="none" value={draft.memoryProvider} onChange={(e) => set('memoryProvider', e.target.value)} />
            <datalist id="memory-providers">
              <option value="internal" />
              {memories.data?.map(({ id, name }) => (
                <option key={id} value={name} />
              ))}
            </datalist>
          </>
        )}
      </Field>
    </FormSection>
  )
}
