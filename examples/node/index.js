// Starts acrite, gives the environment that points Azure's clients at it, and drives it. Knows nothing of Azure.
import { execFile, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const program = () => process.env.ACRITE_BIN ?? 'acrite'

export class Acrite {
  constructor (url, child, token = process.env.ACRITE_TOKEN) {
    Object.assign(this, { url, child, token })
  }

  // The instance that this process runs in, else one of its own.
  static async start (...options) {
    if (process.env.ACRITE_URL) return new Acrite(process.env.ACRITE_URL)
    const child = spawn(program(), ['serve', '--ephemeral', '--listen', '127.0.0.1:0', ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
    const url = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`acrite ended with code ${code}`)))
      createInterface(child.stdout).once('line', line => resolve(line.replace('acrite listening on ', '')))
    })
    return new Acrite(url, child)
  }

  async stop () {
    if (!this.child) return
    const ended = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill()
    await ended
  }

  // The variables that point Azure's clients at this instance.
  async environment () {
    const { stdout } = await run(program(), ['env', '--shell', 'github'], { env: { ...process.env, ACRITE_URL: this.url } })
    const pairs = stdout.trimEnd().split('\n').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
    return { ...process.env, ...Object.fromEntries(pairs) }
  }

  // Runs a command with them.
  async run (command, args = []) {
    return run(command, args, { env: await this.environment() })
  }

  async call (method, path, body) {
    const headers = { 'content-type': 'application/json', ...(this.token && { authorization: `Bearer ${this.token}` }) }
    const answer = await fetch(`${this.url}/acrite/v1/${path}`, { method, headers, body: body && JSON.stringify(body) })
    const said = await answer.json()
    if (!answer.ok) throw new Error(said.error.message)
    return said
  }

  fault (service, operation, what) { return this.call('POST', 'faults', { service, operation, ...what }) }
  async faults () { return (await this.call('GET', 'faults')).faults }
  async clearFaults () { return (await this.call('DELETE', 'faults')).faults }
  advance (seconds) { return this.call('POST', 'clock', { advance: seconds }) }
  freeze () { return this.call('POST', 'clock', { freeze: true }) }
  status () { return this.call('GET', 'status') }
  async audit () { return (await this.call('GET', 'audit')).entries.map(entry => entry.audit ?? entry.event) }
  save (name) { return this.call('POST', 'snapshots', { name }) }
  load (name) { return this.call('POST', `snapshots/${name}/load`, {}) }
  forget (name) { return this.call('DELETE', `snapshots/${name}`) }
}
