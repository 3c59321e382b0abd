import { type DynamicModule, Inject, Injectable, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from "@nestjs/common";
import { DiscoveryModule, DiscoveryService, MetadataScanner } from "@nestjs/core";
import { createMaster, createWorker, type Job, type Master, type Worker } from "assemblage";

export const MASTER = Symbol("libswarm master");
const OPTIONS = Symbol("libswarm options");

export interface SwarmOptions {
  cluster: string;
  url: string;
  /** Jobs that run at once in this process; 0: it only adds jobs. */
  slots: number;
}

/** Injects the master of this process. */
export const InjectMaster = () => Inject(MASTER);

/** Marks a method that runs the jobs of a task. */
export const Task = DiscoveryService.createDecorator<string>();

/** Starts a worker with the application, and drains it at its end. */
@Injectable()
class Members implements OnApplicationBootstrap, OnApplicationShutdown {
  private worker: Worker | undefined;

  constructor(
    @Inject(OPTIONS) private readonly options: SwarmOptions,
    @Inject(MASTER) private readonly master: Master,
    private readonly discovery: DiscoveryService,
    private readonly methods: MetadataScanner,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.master.ready();
    const handlers = this.handlers();
    if (this.options.slots === 0 || Object.keys(handlers).length === 0) return;
    const { cluster, url, slots } = this.options;
    this.worker = createWorker(cluster, { url, slots, handleSignals: false });
    this.worker.process(handlers);
    await this.worker.ready();
  }

  /** After the server has answered its open requests: Nest calls this hook last. */
  async onApplicationShutdown(): Promise<void> {
    await this.worker?.drain();
    await this.worker?.terminate();
    await this.master.close();
  }

  private handlers(): Record<string, (job: Job) => unknown> {
    const found: Record<string, (job: Job) => unknown> = {};
    for (const provider of this.discovery.getProviders()) {
      const { instance } = provider;
      if (typeof instance !== "object" || instance === null) continue;
      for (const name of this.methods.getAllMethodNames(Object.getPrototypeOf(instance))) {
        const task = this.discovery.getMetadataByDecorator(Task, provider, name);
        if (task !== undefined) found[task] = (job) => instance[name](job);
      }
    }
    return found;
  }
}

@Module({})
export class SwarmModule {
  static forRoot(options: SwarmOptions): DynamicModule {
    return {
      module: SwarmModule,
      global: true,
      imports: [DiscoveryModule],
      providers: [
        { provide: OPTIONS, useValue: options },
        { provide: MASTER, useFactory: () => createMaster(options.cluster, options.url) },
        Members,
      ],
      exports: [MASTER],
    };
  }
}
