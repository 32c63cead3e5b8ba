import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./tokens.css";
import "./base.css";
import { makeQueryClient } from "./queries.ts";
import { makeRouter } from "./router.tsx";
import { applyTheme, storedTheme } from "./theme.ts";

applyTheme(storedTheme());

const place = document.getElementById("app");
if (!place) throw new Error('index.html has no element "app"');
createRoot(place).render(
  <StrictMode>
    <QueryClientProvider client={makeQueryClient()}>
      <RouterProvider router={makeRouter()} />
    </QueryClientProvider>
  </StrictMode>,
);
