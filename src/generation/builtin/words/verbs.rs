//! Verbs by what they ask for. English in the infinitive, with irregular forms; German, French and Spanish in the forms of requests.

use super::act::Act;

pub(super) const VERBS: &[(Act, &str)] = &[
    (
        Act::Send,
        "send sent post yell shout celebrate thank notify tell told inform alert message email mail text sms ping announce warn dm share publish remind forward \
         broadcast deliver report publishes push tweet confirm relay congratulate greet welcome pingt meldet postet mailt teilt erinnern erinnert \
         sende senden sendet gesendet schick schicke schicken schickt geschickt verschicke verschicken versende versenden benachrichtige \
         benachrichtigen benachrichtigt informiere informieren melde melden gemeldet poste posten gepostet warne erinnere maile teile \
         weiterleiten leite veroffentliche veroffentlichen \
         envoie envoyer envoyez envoye envoyee envoyes notifie notifier notifiez publie publier publiez previens prevenir previent envoient publient partage partager signale signaler avertis avertit avertir \
         informez transmets rappelle poster postez \
         envia enviar envie envialo enviame enviarme manda mandar mandame notifica notificar notifique avisa avisar avisame avise avisenme envien mande manden publica publicar informa \
         informar comparte recuerda recuerdame recuerdanos recordarme",
    ),
    (
        Act::Reply,
        "reply answer respond return antworte antworten antwortet beantworte beantworten reponds repondre repondez responde responder \
         beantworte beantworten beantwortet contesta contestar responda respondan conteste devuelve devuelva zuruckschickt zuruckschicken zuruckgeschickt zurucksenden zurucksendet renvoie renvoyer reponde replied responded",
    ),
    (
        Act::Create,
        "create add make made insert append store save put log record write written wrote keep kept register subscribe file note track \
         enter collect open copy import backup archive capture schedule draft stash raise transfer dump persist populate enroll enrol ingest place pipe \
         erstelle erstellen erstellt anlegen lege leg angelegt speichere speichern gespeichert trage trag eintragen eingetragen schreibe \
         schreiben schreib geschrieben hinzufugen fuge hinzugefugt erfasse erfassen ablegen abgelegt sichere sichern archiviere notiere schreibt speichert legt erstellt fugt tragt erfasst sichert archiviert notiert eintragt anlegt ablegt \
         protokolliere kopiere kopieren kopiert copie copier copiez copia copiar \
         cree creer creez creee ajoute ajouter ajoutez enregistre enregistrer enregistrez ecris ecrire ecrivez sauvegarde sauvegarder \
         stocke stocker insere inserer inserez inscris inscrire consigne note archive \
         crea crear cree anade anadir agrega agregar guarda guardar guardalo registra registrar escribe escribir apunta apuntar inserta \
         insertar inserte archiva anota guarde guarden agregue registre escriba almacena almacenar almacene",
    ),
    (Act::Upload, "upload hochladen hochgeladen uploade televerse televerser subir sube suba subelo subela hochladt uploadez"),
    (
        Act::Update,
        "update change mark edit modify rename assign move close enrich complete aktualisiere aktualisieren aktualisiert andere andern \
         setze markiere mets modifie modifier actualise actualiza actualizar cambia cambiar marca",
    ),
    (Act::Upsert, "upsert"),
    (
        Act::Delete,
        "delete remove clear losche loschen geloscht entferne entfernen supprime supprimer supprimez elimina eliminar borra borrar",
    ),
    (
        Act::Get,
        "get got fetch read pull load take took look find found search query retrieve list grab pick gather lookup request show watch poll \
         monitor check scan browse \
         hole holen hol geholt lies lesen lade laden abrufen rufe ruf abfragen frage suche suchen prufe prufen uberwache nimm nehmen holt liest ladt sucht pruft abruft \
         recupere recuperer recuperez lis lire lisez cherche chercher prends prendre interroge consulte consulter surveille verifie verifier verifiez controler \
         export exportiere exportieren exporte exporter exporta exportar obten obtener obtiene lea busque consulte lee leer busca buscar consulta consultar trae recoge revisa revisar vigila comprueba",
    ),
    (Act::Download, "download herunterladen heruntergeladen telecharge telecharger descarga descargar"),
    (Act::Call, "call hit invoke trigger"),
    (
        Act::Process,
        "execute ejecuta ejecutar executer ausfuhren verify validate score rate run goes go pass route moderate screenshot detect recognize recognise ocr",
    ),
    (
        Act::Convert,
        "convert parse turn transform decode unzip zip compress wandle umwandeln konvertiere convertis convertir convierte parsee",
    ),
    (Act::Translate, "translate ubersetze ubersetzen ubersetzt traduis traduire traduisez traduce traducir traduzca tradúcelo"),
    (
        Act::Summarize,
        "summarize summarise summarizes condense zusammenfassen fasse zusammengefasst resume resumer resumez resumir resuma resumelo fasst zusammenfasst shorten",
    ),
    (Act::Write, "generate compose rewrite rephrase craft formuliere verfasse redige rediger redacta redactar genera generar generiere"),
    (
        Act::Classify,
        "classify categorize categorise sort label triage klassifiziere klassifizieren sortiere classe classer clasifica clasificar judge",
    ),
    (Act::Extract, "extract extrahiere extrahieren extrais extraire extrae extraer"),
    (Act::Transcribe, "transcribe transkribiere transkribieren transcris transcrire transcribir"),
    (Act::Draw, "draw paint illustrate render"),
    (Act::Filter, "filter drop skip ignore exclude discard filtere filtern ignoriere filtre filtrer ignore filtra filtrar omite"),
    (Act::Sort, "order rank"),
    (Act::Deduplicate, "deduplicate dedupe"),
    (Act::Wait, "wait pause delay sleep warte warten attends attendre espera esperar"),
    (Act::Collect, "combine bundle aggregate group merge batch sammle bundle regroupe agrupa reune"),
    (Act::Stop, "stop abort throw stoppe arrete"),
    (
        Act::Light,
        "want need let have has had use using please build set up start started begin like would want i wish help give given do does \
         happen happens come comes came arrive arrives land lands appear appears receive receives received exist is are was were be been \
         being become becomes contain contains include includes know should must will can could may might ends end \
         mochte will brauche soll sollen lass kommt kommen eingeht eingehen erscheint ist sind war wird werden gibt wenn erhalten nutze nimmt entgegen entgegennimmt annimmt \
         mit verwende benutze mochten bekomme bekommt passiert liegt landet \
         veux voudrais faut est sont arrive arrivent recois recoit soit utilise avec besoin doit recu recue apparait \
         quiero necesito hay es son llega llegan llegue aparece recibe recibo reciba demande demandent usa usando debe sea haya",
    ),
    (
        Act::Unsupported,
        "compare sync synchronize synchronise mirror migrate replicate resize crop watermark encrypt decrypt sign deploy provision scale \
         predict forecast train approve negotiate calculate compute calculates dedup reconcile match cross join map scrape crawl embed \
         index chunk loop iterate repeat retry test compile commit redirect count rotate restart reboot print \
         abgleichen vergleiche vergleichen synchronisiere synchronisieren synchronise compara comparar calcule calcula berechne sincroniza \
         sincronizar clean dispatch split describe ask talk chat decide plan book",
    ),
];

/// Verbs that are nouns as often.
pub(super) const ALSO_NOUNS: &str = "post text mail email message sms log record file note open list query request report order label filter \
     update change call alert share archive backup import test index map match group batch delay pause wait return reply answer tweet draft \
     book score rate run pass route schedule plan design watch track search scan check show look document mark set start end need use help \
     sort stop end tag comment push load take pick read collect import count sign chat draw print split clear \
     note archive publie frage welcome forecast suche nachfrage informe consulta envie resume marca crea registra cree busca";
