using System.CommandLine;
using Mamba.Managed.Cli;

RootCommand root = new("Mamba selective state-space models in managed code.") { GenerateCommand.Create() };
ParseResult parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    parsed.Invoke();
    return 2;
}

try
{
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException or OutOfMemoryException)
{
    Console.Error.WriteLine($"mamba: {error.Message}");
    return 1;
}
