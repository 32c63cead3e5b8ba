export { actorOf, grantable, mayDo, reaches, rights, roles, rolesWith, type Principal, type Right, type Role } from "./rights.ts";
