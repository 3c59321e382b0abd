import "reflect-metadata";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { InvoiceController, InvoiceJobs } from "./invoices.js";
import { SwarmModule } from "./swarm.module.js";

const url = process.env.REDIS_URL ?? "redis://localhost:6379";
const slots = Number(process.env.SLOTS ?? 10);

@Module({
  imports: [SwarmModule.forRoot({ cluster: "shop", url, slots })],
  controllers: [InvoiceController],
  providers: [InvoiceJobs],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] });
app.enableShutdownHooks(["SIGTERM", "SIGINT"], { useProcessExit: true }); // calls onApplicationShutdown
await app.listen(process.env.PORT ?? 3000);
