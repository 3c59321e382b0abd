import { setTimeout as pause } from "node:timers/promises";
import { Body, Controller, Get, Injectable, Post, ServiceUnavailableException, UnprocessableEntityException } from "@nestjs/common";
import { type Job, JobFailedError, type Master, PermanentFailure } from "assemblage";
import { InjectMaster, Task } from "./swarm.module.js";

interface Order {
  customer: string;
  prices: number[];
  pause?: number;
}

@Injectable()
export class InvoiceJobs {
  @Task("invoice")
  async invoice({ payload, attempt }: Job<Order>) {
    if (payload.prices.length === 0) throw new PermanentFailure("the order is empty"); // no retry would help
    await pause(payload.pause ?? 200); // stands for slow work
    return { customer: payload.customer, total: payload.prices.reduce((sum, price) => sum + price, 0), attempt };
  }
}

@Controller()
export class InvoiceController {
  constructor(@InjectMaster() private readonly master: Master) {}

  @Post("invoices")
  async invoice(@Body() order: Order) {
    try {
      return await this.master.run(order, { task: "invoice", retries: 2, timeout: 10_000 });
    } catch (error) {
      if (error instanceof JobFailedError) throw new UnprocessableEntityException(error.message);
      throw error;
    }
  }

  @Get("health")
  health() {
    const { healthy, errorMessage, added } = this.master.health();
    if (!healthy) throw new ServiceUnavailableException(errorMessage);
    return { added };
  }
}
