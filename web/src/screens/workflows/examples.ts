import { builtInModel } from '@/lib/snippets'

/** Definitions to begin with: each runs as it is. */
export const examples: { label: string; text: string }[] = [
  {
    label: 'Answer a question',
    text: `nodes:
  - id: start
    type: start
  - id: answer
    type: llm
    name: Write the answer
    config:
      model: ${builtInModel}
      prompt: "{{inputs.context}} {{inputs.question}}"
  - id: end
    type: end
    config:
      outputs:
        answer: "{{nodes.answer.text}}"
edges:
  - { source: start, target: answer }
  - { source: answer, target: end }
inputSchema:
  type: object
  required: [question]
  properties:
    question: { type: string, title: Question, example: When does the shop open? }
    context: { type: string, title: Context, example: The shop opens at nine and closes at six. }
`,
  },
  {
    label: 'Ask a person',
    text: `nodes:
  - id: start
    type: start
  - id: large
    type: condition
    name: Is it much?
    config:
      expression: inputs.total > 100
  - id: approve
    type: human
    name: Approve
    config:
      prompt: "Pay {{inputs.total}}?"
      decisions: [pay, decline]
  - id: paid
    type: end
    config: { outputs: { paid: true } }
  - id: declined
    type: end
    config: { outputs: { paid: false } }
edges:
  - { source: start, target: large }
  - { source: large, target: approve, sourceHandle: "true" }
  - { source: large, target: paid, sourceHandle: "false" }
  - { source: approve, target: paid, sourceHandle: pay }
  - { source: approve, target: declined, sourceHandle: decline }
inputSchema:
  type: object
  required: [total]
  properties:
    total: { type: number, title: Total, example: 250 }
`,
  },
  {
    label: 'Each item of a list',
    text: `nodes:
  - id: start
    type: start
  - id: each
    type: parallel
    name: Price of each
    config:
      items: inputs.items
      parallelism: 5
      do:
        type: transform
        config: { expression: item.price * item.count }
  - id: end
    type: end
    config: { outputs: { prices: "{{nodes.each}}" } }
edges:
  - { source: start, target: each }
  - { source: each, target: end }
inputSchema:
  type: object
  required: [items]
  properties:
    items:
      type: array
      title: Items
      example: [{ price: 12.5, count: 2 }, { price: 3, count: 4 }]
`,
  },
]
