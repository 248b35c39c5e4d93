namespace Mamba.Managed.Templates;

/// <summary>Whose error it is that a template gave no text.</summary>
public enum ChatTemplateFault
{
    /// <summary>The template refused the conversation with <c>raise_exception</c>: the error of whoever sent it.</summary>
    Conversation,

    /// <summary>The template did what its language does not allow or what is not supported: as a rule the error of the model's file.</summary>
    Template,

    /// <summary>Rendering reached a limit of <see cref="ChatTemplateLimits"/>.</summary>
    Limit,
}

/// <summary>A template gave no text for a conversation.</summary>
public sealed class ChatTemplateException : Exception
{
    /// <summary>Makes an error without a place.</summary>
    public ChatTemplateException()
        : this("the chat template failed")
    {
    }

    /// <summary>Makes an error without a place.</summary>
    public ChatTemplateException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an error without a place.</summary>
    public ChatTemplateException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    internal ChatTemplateException(ChatTemplateFault fault, string message, int line, int column)
        : base(message) => (Fault, Line, Column) = (fault, line, column);

    /// <summary>Whose error it is. The message of <see cref="ChatTemplateFault.Conversation"/> is the template's own and nothing else.</summary>
    public ChatTemplateFault Fault { get; } = ChatTemplateFault.Template;

    /// <summary>The line of the template, counted from 1; 0 where none is known.</summary>
    public int Line { get; }

    /// <summary>The column in UTF-16 units, counted from 1; 0 where none is known.</summary>
    public int Column { get; }
}
