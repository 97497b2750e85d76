// The snippet of documents/executions-api.md, "Real-Time Updates", against a server that is named on the command line.
// Around it: the transport may be chosen, and the first and the last line say when the client is connected and gone.
import { io } from 'socket.io-client';

const [url, transport] = process.argv.slice(2);
const socket = transport ? io(url, { transports: [transport] }) : io(url);

// Listen for execution updates
socket.on('execution-update', (data) => {
  console.log('Execution:', data.executionId);
  console.log('Status:', data.status);
  console.log('Current Node:', data.currentNodeId);
});

// Listen for batch updates
socket.on('batch-update', (data) => {
  console.log('Batch:', data.batchId);
  console.log('Progress:', `${data.completed}/${data.totalWorkflows}`);
});

// Listen for node execution
socket.on('node-execution', (data) => {
  console.log('Node:', data.nodeId);
  console.log('Type:', data.nodeType);
  console.log('Status:', data.status);
});

socket.on('connect', () => console.log('Transport:', socket.io.engine.transport.name));
socket.io.engine.on('upgrade', (upgraded) => console.log('Upgraded:', upgraded.name));
socket.on('disconnect', () => {
  console.log('Disconnected');
  process.exit(0);
});
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
