// tsyringe, below @peculiar/x509, needs this before everything else
import 'reflect-metadata';

export * from '@peculiar/x509';
