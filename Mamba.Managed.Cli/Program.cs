using System.Text;
using Mamba.Managed.Cli;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return await MambaCommand.RunAsync(args, Console.Out, Console.Error).ConfigureAwait(false);
